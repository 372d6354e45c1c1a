// Linear + cross-entropy in chunks of tokens: an N×V matrix of logits never exists.
//
// Per chunk: logits = h·Wᵀ; each row is turned into its own gradient in place (softmax minus
// one-hot); then gh = g·W and gW += gᵀ·h.  All of it happens in the forward pass, where the chunk
// is still in cache; backward only scales. Same idea as Liger's fused linear cross-entropy.  Masked
// rows are dropped before the first product.
//
// With bf16 weights the logits and their gradients are bf16 between the products, as in any model
// that ends in a bf16 linear; a row is fp32 while it is worked on, and gW is summed over the chunks
// in fp32.  Where 16-bit products are slow (products.hpp), all of it is done in fp32.
#include "mortise/torch/ops.hpp"

#include "autograd.hpp"
#include "kernels.hpp"
#include "products.hpp"

namespace mortise::ops {

namespace {

// About 4 MiB of logits: smaller chunks pass over gW too often and make thin products, larger ones
// gain nothing more.
int64_t chunk_tokens(const CrossEntropyOptions& options, int64_t vocab, at::ScalarType dtype) {
  if (options.chunk > 0) return options.chunk;
  const int64_t logits = int64_t{1} << (dtype == at::kFloat ? 20 : 21);
  return std::clamp<int64_t>(logits / std::max<int64_t>(1, vocab), 128, 1024);
}

struct Gradients {
  at::Tensor hidden, weight, bias;
};

struct Sums {
  double loss = 0, z = 0;
};

// Calls f(row, its elements) for each row: of a copy when they are 16-bit, which is then written
// back.
template <class F>
void each_row_in_fp32(at::Tensor& rows, F f) {
  const int64_t width = rows.size(1);
  with_rows(rows.scalar_type(), [&]<class T>(const RowKernels<T>& kernel) {
    T* data = elements_to_write<T>(rows);
    for_blocks(rows.size(0), 4, [&](int64_t, int64_t begin, int64_t end) {
      if constexpr (std::is_same_v<T, float>) {
        for (int64_t row = begin; row < end; ++row) f(row, data + row * width);
      } else {
        static thread_local std::vector<float> copy;  // kept: a row a thread
        copy.resize(static_cast<size_t>(width));
        for (int64_t row = begin; row < end; ++row) {
          kernel.widen(data + row * width, copy.data(), width);
          f(row, copy.data());
          kernel.narrow(copy.data(), data + row * width, width);
        }
      }
    });
  });
}

Sums rows_to_gradients(at::Tensor& logits,
                       const at::Tensor& targets,
                       const CrossEntropyOptions& options) {
  const int64_t rows = logits.size(0), vocab = logits.size(1);
  std::vector<float> loss(static_cast<size_t>(rows)), z(static_cast<size_t>(rows));
  const int64_t* target = targets.const_data_ptr<int64_t>();
  each_row_in_fp32(logits, [&](int64_t row, float* data) {
    kernels().cross_entropy_row(data,
                                vocab,
                                target[row],
                                static_cast<float>(options.label_smoothing),
                                static_cast<float>(options.z_loss),
                                &loss[static_cast<size_t>(row)],
                                &z[static_cast<size_t>(row)]);
  });
  Sums sums;
  for (size_t row = 0; row < loss.size(); ++row) {
    sums.loss += loss[row];
    sums.z += z[row];
  }
  return sums;
}

// gW, fp32, of the gradients of a chunk of logits.
void add_chunk(at::Tensor& weight, const at::Tensor& logits, const at::Tensor& h, bool is_first) {
  if (is_first)
    weight = product(logits.t(), h).to(at::kFloat);
  else if (logits.scalar_type() == at::kFloat)
    add_product(weight, logits.t(), h);
  else
    weight.add_(product(logits.t(), h));
}

Sums run_chunks(const at::Tensor& hidden,
                const at::Tensor& weight,
                const at::Tensor& bias,
                const at::Tensor& targets,
                const CrossEntropyOptions& options,
                Gradients& gradients) {
  const int64_t tokens = hidden.size(0),
                chunk = chunk_tokens(options, weight.size(0), hidden.scalar_type());
  Sums total;
  for (int64_t begin = 0; begin < tokens; begin += chunk) {
    const int64_t count = std::min(chunk, tokens - begin);
    const at::Tensor h =
        with_rows_padded(hidden.narrow(0, begin, count), padded_rows(count, hidden.scalar_type()));
    at::Tensor logits = product(h, weight.t());
    if (bias.defined()) logits.add_(bias);
    at::Tensor targeted = logits.narrow(0, 0, count);
    const Sums sums = rows_to_gradients(targeted, targets.narrow(0, begin, count), options);
    total.loss += sums.loss;
    total.z += sums.z;
    logits.narrow(0, count, logits.size(0) - count).zero_();
    if (gradients.hidden.defined())
      gradients.hidden.narrow(0, begin, count).copy_(product(logits, weight).narrow(0, 0, count));
    if (gradients.weight.defined()) add_chunk(gradients.weight, logits, h, /*is_first=*/begin == 0);
    if (gradients.bias.defined()) gradients.bias.add_(logits.sum({0}, false, at::kFloat));
  }
  return total;
}

// Function::apply takes no undefined tensor, but an empty optional.
using Optional = std::optional<at::Tensor>;

Optional if_defined(const at::Tensor& tensor) {
  return tensor.defined() ? Optional(tensor) : std::nullopt;
}

struct LinearCrossEntropy : torch::autograd::Function<LinearCrossEntropy> {
  static variable_list forward(AutogradContext* context,
                               const at::Tensor& hidden,
                               const at::Tensor& weight,
                               const Optional& maybe_bias,
                               const at::Tensor& targets,
                               const Optional& maybe_rows,
                               double smoothing,
                               double z_loss,
                               int64_t chunk,
                               bool grad_hidden,
                               bool grad_weight,
                               bool grad_bias) {
    const at::Tensor bias = maybe_bias.value_or(at::Tensor()),
                     rows = maybe_rows.value_or(at::Tensor());
    const at::ScalarType dtype = hidden.scalar_type(),
                         compute = keeps_dtype(dtype) ? dtype : at::kFloat;
    const auto typed = [](const at::Tensor& x, at::ScalarType type) {
      return x.defined() ? x.to(type) : x;
    };
    const at::Tensor kept =
        (rows.defined() ? hidden.index_select(0, rows) : hidden).to(compute).contiguous();
    Gradients gradients;
    if (grad_hidden) gradients.hidden = at::empty_like(kept);
    if (grad_weight)  // the first chunk makes another
      gradients.weight =
          kept.size(0) > 0 ? empty_fp32({0}, weight) : empty_fp32(weight.sizes(), weight).zero_();
    if (grad_bias) gradients.bias = empty_fp32(bias.sizes(), bias).zero_();
    const Sums sums = run_chunks(kept,
                                 weight.to(compute),
                                 typed(bias, compute),
                                 targets,
                                 {smoothing, z_loss, chunk},
                                 gradients);
    context->saved_data["tokens"] = hidden.size(0);
    context->save_for_backward({typed(gradients.hidden, dtype),
                                typed(gradients.weight, dtype),
                                typed(gradients.bias, dtype),
                                rows});
    const at::TensorOptions fp32 = hidden.options().dtype(at::kFloat);
    const at::Tensor z = at::full({}, sums.z, fp32);
    context->mark_non_differentiable({z});
    return {at::full({}, sums.loss, fp32), z};
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor scale = grads[0];
    at::Tensor hidden = saved[0].defined() ? saved[0].mul(scale) : saved[0];
    if (hidden.defined() && saved[3].defined())
      hidden = at::zeros({context->saved_data["tokens"].toInt(), hidden.size(1)}, hidden.options())
                   .index_copy_(0, saved[3], hidden);
    const auto scaled = [&](const at::Tensor& gradient) {
      return gradient.defined() ? gradient.mul(scale) : gradient;
    };
    variable_list out(11);  // one per argument of forward
    out[0] = hidden;
    out[1] = scaled(saved[1]);
    out[2] = scaled(saved[2]);
    return out;
  }
};

void check_targets(const at::Tensor& targets, int64_t vocab) {
  if (targets.numel() == 0) return;
  const int64_t low = targets.min().item<int64_t>(), high = targets.max().item<int64_t>();
  TORCH_CHECK(low >= 0 && high < vocab,
              "cross-entropy: target ",
              low < 0 ? low : high,
              " is outside the vocabulary of ",
              vocab);
}

/// Kernels trust these sizes.
void check_rows(const at::Tensor& hidden_ND,
                const at::Tensor& targets_N,
                const at::Tensor& mask_N) {
  TORCH_CHECK(targets_N.numel() == hidden_ND.size(0) &&
                  (!mask_N.defined() || mask_N.numel() == hidden_ND.size(0)),
              "cross-entropy: one target (and mask) a row is needed, got ",
              hidden_ND.size(0),
              " rows and ",
              targets_N.numel(),
              " targets");
}

bool wants_gradient(const at::Tensor& tensor) {
  return at::GradMode::is_enabled() && tensor.defined() && tensor.requires_grad();
}

}  // namespace

std::pair<at::Tensor, at::Tensor> chunked_cross_entropy(const at::Tensor& hidden_ND,
                                                        const at::Tensor& weight_VD,
                                                        const at::Tensor& bias_V,
                                                        const at::Tensor& targets_N,
                                                        const at::Tensor& mask_N,
                                                        const CrossEntropyOptions& options) {
  MORTISE_PROFILED("chunked_cross_entropy");
  check_rows(hidden_ND, targets_N, mask_N);
  if (!is_fusable({&hidden_ND, &weight_VD, &bias_V}))
    return eager::cross_entropy(hidden_ND, weight_VD, bias_V, targets_N, mask_N, options);
  at::Tensor rows, targets = targets_N.contiguous();
  if (mask_N.defined() && !mask_N.all().item<bool>()) {
    rows = mask_N.nonzero().squeeze(1);
    targets = targets.index_select(0, rows);
  }
  check_targets(targets, weight_VD.size(0));
  const variable_list out = LinearCrossEntropy::apply(hidden_ND,
                                                      weight_VD.contiguous(),
                                                      if_defined(bias_V),
                                                      targets,
                                                      if_defined(rows),
                                                      options.label_smoothing,
                                                      options.z_loss,
                                                      options.chunk,
                                                      wants_gradient(hidden_ND),
                                                      wants_gradient(weight_VD),
                                                      wants_gradient(bias_V));
  return {out[0], out[1]};
}

at::Tensor chunked_log_prob(const at::Tensor& hidden_ND,
                            const at::Tensor& weight_VD,
                            const at::Tensor& bias_V,
                            const at::Tensor& targets_N) {
  at::NoGradGuard no_grad;
  check_rows(hidden_ND, targets_N, {});
  check_targets(targets_N, weight_VD.size(0));
  const int64_t tokens = hidden_ND.size(0),
                chunk = chunk_tokens({}, weight_VD.size(0), hidden_ND.scalar_type());
  at::Tensor out = at::empty({tokens}, hidden_ND.options().dtype(at::kFloat));
  for (int64_t begin = 0; begin < tokens; begin += chunk) {
    const int64_t count = std::min(chunk, tokens - begin);
    const at::Tensor logits =
        linear(hidden_ND.narrow(0, begin, count), weight_VD, bias_V).to(at::kFloat);
    const at::Tensor picked =
        logits.gather(1, targets_N.narrow(0, begin, count).unsqueeze(1)).squeeze(1);
    out.narrow(0, begin, count).copy_(picked - at::logsumexp(logits, {-1}));
  }
  return out;
}

}  // namespace mortise::ops
