/* What only a linker that throws away unused code leaves out. */
int unused_one(int number);

int unused_one(int number) { return number + 1; }
