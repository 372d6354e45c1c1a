// Carries the precompiled header of the tensor tier; see sdk/CMakeLists.txt.
