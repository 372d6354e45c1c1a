// Restricted Damerau-Levenshtein distance (Damerau 1964; one row of memory per edit row), and the
// table of names that users of Hugging Face Transformers/TRL/PEFT, axolotl, torchtune,
// LLaMA-Factory, litgpt and torchtitan type out of habit.
#include "core/recipe/suggest.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace mortise::core {

namespace {

constexpr ForeignName kForeign[] = {
    {"learning_rate", "optimizer.lr", ""},
    {"lr_scheduler_type", "schedule.type", ""},
    {"lr_scheduler", "schedule.type", ""},
    {"warmup_steps", "schedule.warmup", ""},
    {"warmup_ratio", "schedule.warmup", ""},
    {"num_warmup_steps", "schedule.warmup", ""},
    {"min_lr", "schedule.min_ratio", "a share of optimizer.lr"},
    {"optim", "optimizer.type", ""},
    {"optimizer_type", "optimizer.type", ""},
    {"adam_beta1", "optimizer.betas", "betas = [beta1, beta2]"},
    {"adam_beta2", "optimizer.betas", "betas = [beta1, beta2]"},
    {"adam_epsilon", "optimizer.eps", ""},
    {"max_grad_norm", "optimizer.clip_norm", ""},
    {"gradient_clip_val", "optimizer.clip_norm", ""},
    {"gradient_clipping", "optimizer.clip_norm", ""},
    {"clip_grad_norm", "optimizer.clip_norm", ""},
    {"max_norm", "optimizer.clip_norm", ""},
    {"per_device_train_batch_size", "batch.micro", ""},
    {"micro_batch_size", "batch.micro", ""},
    {"train_micro_batch_size_per_gpu", "batch.micro", ""},
    {"local_batch_size", "batch.micro", ""},
    {"batch_size",
     "batch.micro",
     "batch.micro = rows per forward, batch.global = rows per optimizer step"},
    {"gradient_accumulation_steps",
     "batch.global",
     "batch.global = batch.micro × accumulation steps; accumulation is derived"},
    {"train_batch_size", "batch.global", ""},
    {"global_batch_size", "batch.global", ""},
    {"max_seq_length", "batch.seq_len", ""},
    {"max_length", "batch.seq_len", ""},
    {"sequence_len", "batch.seq_len", ""},
    {"seq_length", "batch.seq_len", ""},
    {"max_seq_len", "batch.seq_len", ""},
    {"cutoff_len", "batch.seq_len", ""},
    {"block_size", "batch.seq_len", ""},
    {"sample_packing", "batch.packing", ""},
    {"neat_packing", "batch.packing", ""},
    {"packed", "batch.packing", ""},
    {"num_train_epochs", "run.epochs", ""},
    {"num_epochs", "run.epochs", ""},
    {"max_epochs", "run.epochs", ""},
    {"epochs", "run.epochs", ""},
    {"max_steps", "run.steps", ""},
    {"total_steps", "run.steps", ""},
    {"training_steps", "run.steps", ""},
    {"max_tokens", "run.tokens", ""},
    {"random_seed", "run.seed", ""},
    {"output_dir", "run.dir", ""},
    {"out_dir", "run.dir", ""},
    {"run_name", "recipe.name", ""},
    {"bf16", "run.dtype", "run.dtype = \"bf16\""},
    {"fp16", "run.dtype", "run.dtype = \"bf16\" or \"fp32\""},
    {"torch_dtype", "run.dtype", ""},
    {"precision", "run.dtype", ""},
    {"num_workers", "run.threads", ""},
    {"save_steps", "checkpoint.every", ""},
    {"save_interval", "checkpoint.every", ""},
    {"save_total_limit", "checkpoint.keep", ""},
    {"logging_steps", "log.every", ""},
    {"log_every_n_steps", "log.every", ""},
    {"log_freq", "log.every", ""},
    {"log_level", "log.level", ""},
    {"report_to", "tracker.NAME.type", "[tracker.NAME] with a type"},
    {"eval_steps", "eval.NAME.every", "each [eval.NAME] has its own `every`"},
    {"evaluation_strategy", "eval.NAME.every", "each [eval.NAME] has its own `every`"},
    {"val_set_size", "data.pipeline.NAME", "a transform of data.pipeline that splits"},
    {"model_name_or_path", "model.from", ""},
    {"base_model", "model.from", ""},
    {"checkpoint_dir", "model.from", ""},
    {"vocab_size", "model.vocab", ""},
    {"hidden_size", "model.width", ""},
    {"n_embd", "model.width", ""},
    {"d_model", "model.width", ""},
    {"embed_dim", "model.width", ""},
    {"num_hidden_layers", "model.layer.NAME.repeat", ""},
    {"num_layers", "model.layer.NAME.repeat", ""},
    {"n_layer", "model.layer.NAME.repeat", ""},
    {"num_attention_heads", "model.layer.NAME.attention.heads", ""},
    {"n_head", "model.layer.NAME.attention.heads", ""},
    {"num_heads", "model.layer.NAME.attention.heads", ""},
    {"num_key_value_heads", "model.layer.NAME.attention.kv_heads", ""},
    {"num_kv_heads", "model.layer.NAME.attention.kv_heads", ""},
    {"rope_theta", "model.layer.NAME.attention.position.theta", ""},
    {"rope_base", "model.layer.NAME.attention.position.theta", ""},
    {"intermediate_size", "model.layer.NAME.ffn.hidden", ""},
    {"rms_norm_eps", "model.norm.eps", ""},
    {"norm_eps", "model.norm.eps", ""},
    {"tie_word_embeddings", "model.head.tied", ""},
    {"tie_embeddings", "model.head.tied", ""},
    {"initializer_range", "model.init.std", ""},
    {"tokenizer_name", "tokenizer.from", ""},
    {"tokenizer_name_or_path", "tokenizer.from", ""},
    {"train_file", "data.train.NAME.path", ""},
    {"dataset", "data.train.NAME", "[data.train.NAME] with a type"},
    {"datasets", "data.train.NAME", "[data.train.NAME] with a type"},
    {"dataset_name", "data.train.NAME", "[data.train.NAME] with a type"},
    {"shuffle_buffer_size", "batch.shuffle", ""},
    {"lora_r", "adapter.rank", ""},
    {"lora_rank", "adapter.rank", ""},
    {"lora_alpha", "adapter.alpha", ""},
    {"lora_dropout", "adapter.dropout", ""},
    {"lora_target_modules", "adapter.targets", ""},
    {"target_modules", "adapter.targets", ""},
    {"lora_target", "adapter.targets", ""},
    {"_component_", "type", "a component is named by `type`, its parameters stand beside it"},
    {"_target_", "type", "a component is named by `type`, its parameters stand beside it"},
    {"class_path", "type", "a component is named by `type`, its parameters stand beside it"},
    {"do_sample", "generate.temperature", "temperature = 0 is greedy"},
};

}  // namespace

const ForeignName* foreign_name(std::string_view word) {
  for (const ForeignName& name : kForeign)
    if (name.theirs == word) return &name;
  if (word.size() < 7) return nullptr;  // short words are too near to everything
  for (const ForeignName& name : kForeign)
    if (name.theirs.size() >= 7 && edit_distance(word, name.theirs) == 1) return &name;
  return nullptr;
}

}  // namespace mortise::core
