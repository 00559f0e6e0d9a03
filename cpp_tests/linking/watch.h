/*
 * A host that notices: it exports functions under names that the library has inside, and its own SQLite reports whenever
 * a thread other than the host's only one gets into it.
 */
#ifndef LB_TEST_WATCH_H
#define LB_TEST_WATCH_H

/* Before anything else is done with SQLite, on the thread that alone may use it. */
void watch_begin(void);

/* How often code that is not the host's got into the host's functions; what it was goes to standard error. */
int watch_intrusions(void);

/* How often the host's own thread got into its SQLite: zero would mean that nothing is watched. */
int watch_own_calls(void);

#endif
