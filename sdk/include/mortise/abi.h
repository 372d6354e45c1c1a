/* The frozen C boundary between the Mortise host and a plugin (C11, no C++ in it).
 *
 * A plugin exports exactly one symbol, `mortise_plugin_entry`, which returns a read-only
 * descriptor.  The host checks magic, size, ABI number and build tag before it looks at anything
 * else.  Every struct starts with (or carries) its size: a later host reads an older plugin by
 * never looking past that size.
 *
 * Persistent: do not change the order, type or meaning of a member; append only, and raise
 * MORTISE_ABI when an old host could not use a new plugin.
 */
#ifndef MORTISE_ABI_H
#define MORTISE_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MORTISE_ABI 1u
#define MORTISE_MAGIC "MORTISE" /* with its terminating zero: 8 bytes */
#define MORTISE_ENTRY_NAME "mortise_plugin_entry"

/* Where a noexcept C-level call leaves its message.  [any-thread]; strings live for the call only.
 */
typedef struct mortise_error_sink {
  void* context;
  /* code: a mortise::Code; message, hint, where: UTF-8, never NULL, hint and where may be empty. */
  void (*report)(
      void* context, int32_t code, const char* message, const char* hint, const char* where);
} mortise_error_sink;

/* What the host hands to a component's constructor.  All pointers are owned by the caller and live
 * for the call; the plugin copies what it keeps, except `host`, which outlives every component. */
typedef struct mortise_create_args {
  uint32_t size;
  const void*
      config; /* const mortise::Value*: the component's table, validated, defaults filled in */
  const void* args; /* const Interface::Args*: what this interface passes beside the parameters */
  void* host;       /* mortise::Host* */
  mortise_error_sink errors;
} mortise_create_args;

typedef struct mortise_component {
  const char* interface_id; /* "optimizer/1.0"; a draft carries "-draft" */
  const char* name;         /* "lion": what a recipe writes as type = "lion" */
  const char* doc;          /* one sentence */
  const char* schema;       /* parameters, rules and capabilities as JSON (mortise/schema.hpp) */
  const char* layout;       /* fingerprint of the types that this interface passes, hexadecimal */
  /* Returns an Interface* as void*, or NULL after reporting to args->errors.  Never throws.
   * [main-thread] */
  void* (*create)(const mortise_create_args* args);
  /* Destroys what `create` returned.  Never throws.  [main-thread] */
  void (*destroy)(void* object);
} mortise_component;

typedef struct mortise_plugin {
  char magic[8];           /* MORTISE_MAGIC */
  uint32_t size;           /* sizeof(mortise_plugin) in the plugin */
  uint32_t abi;            /* MORTISE_ABI in the plugin */
  const char* id;          /* reverse domain: "org.acme.optim" */
  const char* version;     /* semantic version: "1.2.0" */
  const char* license;     /* SPDX */
  const char* tag;         /* build tag, "key=value;..." (mortise/plugin.hpp) */
  uint32_t component_size; /* sizeof(mortise_component) in the plugin: the stride of `components` */
  uint32_t num_components;
  const mortise_component* components;
  void (*shutdown)(
      void); /* may be NULL; called once, in reverse order of loading, before main returns */
} mortise_plugin;

/* Returns the descriptor (static storage), or NULL after reporting to `errors`.  Never throws.
 * Called once, before any worker thread exists.  LibTorch operators may be registered here and
 * nowhere else.  [main-thread] */
typedef const mortise_plugin* (*mortise_plugin_entry_fn)(const mortise_error_sink* errors);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MORTISE_ABI_H */
