#ifndef LB_TEST_PART_H
#define LB_TEST_PART_H

#ifdef __cplusplus
extern "C" {
#endif

/* A backup of one file to another; returns its lb_status. */
__attribute__((visibility("default"))) int part_back_up(const char *source, const char *copy);

#ifdef __cplusplus
}
#endif

#endif
