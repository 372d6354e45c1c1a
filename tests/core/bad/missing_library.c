/* A library whose SONAME no file has: whoever links it lacks a dependency at run time. */
int not_on_this_machine(void) { return 1; }
