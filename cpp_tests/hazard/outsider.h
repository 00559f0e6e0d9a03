/* The host's view of the outsider, which is the program lb_outsider. */
#ifndef LB_TEST_OUTSIDER_H
#define LB_TEST_OUTSIDER_H

#include "support/host.h"

static const char *outsider_program;

typedef struct {
    int code;
    char said[256];
} outsider_answer;

static inline outsider_answer ask_outsider(const char *command, const char *database) {
    outsider_answer answer;
    char *arguments[] = {(char *)outsider_program, (char *)command, (char *)database, NULL};
    answer.code = run_program(arguments, answer.said, sizeof answer.said);
    answer.said[strcspn(answer.said, "\n")] = '\0';
    return answer;
}

static inline bool outsider_is_refused(const char *database) {
    outsider_answer answer = ask_outsider("write", database);
    bool refused = answer.code == SQLITE_BUSY && strcmp(answer.said, "database is locked") == 0;
    if (!refused) dprintf(host_report_fd, "the outsider's write: %d \"%s\"\n", answer.code, answer.said);
    return refused;
}

/* The outsider opens the database, reads, and closes it; -1 where it cannot. */
static inline long rows_seen_outside(const char *database) {
    outsider_answer answer = ask_outsider("read", database);
    if (answer.code == SQLITE_OK) return strtol(answer.said, NULL, 10);
    dprintf(host_report_fd, "the outsider's read: %d \"%s\"\n", answer.code, answer.said);
    return -1;
}

static inline bool sound_outside(const char *database) {
    outsider_answer answer = ask_outsider("check", database);
    return answer.code == SQLITE_OK && strcmp(answer.said, "ok") == 0;
}

#endif
