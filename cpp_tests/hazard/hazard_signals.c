/*
 * Signals are the host's business: none of its handlers ever runs on a thread of the library, and no signal that the
 * library's work raises reaches the host.
 *
 *   hazard_signals SCENARIO
 *
 * No --expect-hazard twins: this does not depend on the descriptor table.
 */
#include "support/jobs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/time.h>

enum { MOST_HITS = 4096, ENOUGH_HITS = 200 };

static _Atomic int hits;
static _Atomic pid_t hit_threads[MOST_HITS];

static void remember_thread(int signal_number) {
    (void)signal_number;
    int at = atomic_fetch_add(&hits, 1);
    if (at < MOST_HITS) atomic_store(&hit_threads[at], thread_id());
}

static int hits_so_far(void) {
    int count = atomic_load(&hits);
    return count < MOST_HITS ? count : MOST_HITS;
}

static bool all_hits_on(const task_list *threads) {
    for (int i = 0; i < hits_so_far(); i++) {
        pid_t tid;
        WAIT_FOR((tid = atomic_load(&hit_threads[i])) != 0);
        if (!has_task(threads, tid)) return false;
    }
    return true;
}

/* No SA_RESTART: the library's own calls on host threads are interrupted as well. */
static bool handle(int signal_number) {
    struct sigaction action = {0};
    action.sa_handler = remember_thread;
    sigfillset(&action.sa_mask);
    return sigaction(signal_number, &action, NULL) == 0;
}

static atomic_bool finished;

static void *idle_until_finished(void *unused) {
    while (!atomic_load(&finished)) one_millisecond();
    return unused;
}

static void nothing_to_show(lb_job *job, const lb_progress *progress, void *unused) {
    (void)job, (void)progress, (void)unused;
}

static void handlers_run_on_host_threads(const char *directory) {
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, idle_until_finished, NULL) == 0);
    task_list host_threads = tasks();
    CHECK(handle(SIGUSR1) && handle(SIGALRM));
    lb_job *job = start_held_with_callbacks(directory, nothing_to_show);
    struct itimerval every_millisecond = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    CHECK(setitimer(ITIMER_REAL, &every_millisecond, NULL) == 0);
    while (hits_so_far() < ENOUGH_HITS) {
        CHECK(kill(getpid(), SIGUSR1) == 0);
        CHECK_STATUS(lb_backup_wait(job, 2), LB_STATUS_TIMED_OUT);
    }
    CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    CHECK(all_hits_on(&host_threads));
    atomic_store(&finished, true);
    for (int i = 0; i < 3; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

/*
 * Signals that can be sent to the process as a whole, be handled, and be pending side by side: not those of a fault,
 * and not those of job control, which take each other back.
 */
static bool is_ordinary(int signal_number) {
    static const int others[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,  SIGFPE,  SIGILL, SIGTRAP,
                                 SIGSYS,  SIGABRT, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i] == signal_number) return false;
    return handle(signal_number);
}

/*
 * The host has all signals blocked, as one that uses signalfd or sigwait has: then the kernel looks for any thread
 * that does not, and none of the library's may be there to be found.
 */
static void blocked_signals_stay_pending(const char *directory) {
    sigset_t ordinary, pending, old;
    int sent = 0;
    sigemptyset(&ordinary);
    for (int s = 1; s <= SIGRTMAX; s++)
        if (is_ordinary(s)) sigaddset(&ordinary, s);
    lb_job *job = start_held_with_callbacks(directory, nothing_to_show); /* with everything unblocked: the library's threads inherit nothing */
    task_list here = {1, {thread_id()}};
    CHECK(pthread_sigmask(SIG_BLOCK, &ordinary, &old) == 0);
    atomic_store(&hits, 0);
    for (int s = 1; s <= SIGRTMAX; s++) {
        if (!sigismember(&ordinary, s)) continue;
        CHECK(kill(getpid(), s) == 0);
        sent++;
    }
    CHECK_STATUS(lb_backup_set_rate(job, 0), LB_STATUS_OK);
    JOIN(job, LB_STATUS_OK);
    CHECK(atomic_load(&hits) == 0);
    CHECK(sigpending(&pending) == 0);
    for (int s = 1; s <= SIGRTMAX; s++) CHECK(!sigismember(&ordinary, s) || sigismember(&pending, s));
    CHECK(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK(sent > 30 && atomic_load(&hits) == sent);
    CHECK(all_hits_on(&here));
}

static void dispositions_and_mask_stay(const char *directory) {
    struct sigaction before[65], after;
    sigset_t mask, mask_after;
    memset(before, 0, sizeof before);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
    for (int s = 1; s <= SIGRTMAX; s++) sigaction(s, NULL, &before[s]);
    lb_job *job = start_held_with_callbacks(directory, nothing_to_show);
    CHECK_STATUS(lb_backup_cancel(job), LB_STATUS_OK);
    JOIN(job, LB_STATUS_CANCELLED);
    CHECK_STATUS(lb_shutdown(UINT32_MAX), LB_STATUS_OK);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &mask_after) == 0);
    for (int s = 1; s <= SIGRTMAX; s++) {
        CHECK(sigismember(&mask, s) == sigismember(&mask_after, s));
        if (sigaction(s, NULL, &after) != 0) continue;
        CHECK(before[s].sa_handler == after.sa_handler && before[s].sa_flags == after.sa_flags);
    }
}

/* setrlimit(2): a write beyond the limit raises SIGXFSZ, which ends the process, unless the thread blocks it. */
static void file_size_limit_is_an_error_not_an_end(const char *directory) {
    static const char *const modes[] = {"WAL", "DELETE"}, *const names[] = {"copy.db", "copy.db.zst"};
    struct rlimit old, low;
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    low = old;
    low.rlim_cur = 1 << 20;
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "game-%d.db", i);
        host_path source = path_in(directory, name), backups = path_in(directory, "backups");
        host_path destination = path_in(backups.s, names[i % 2]);
        CHECK(mkdir(backups.s, 0700) == 0);
        sqlite3 *db = host_create(source.s, modes[i / 2], ROWS_TO_HOLD);

        CHECK(setrlimit(RLIMIT_FSIZE, &low) == 0);
        lb_job *job = start_backup(source.s, destination.s, NULL);
        JOIN(job, LB_STATUS_NO_SPACE);
        CHECK(count_entries(backups.s, NULL) == 0);

        CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
        job = start_backup(source.s, destination.s, NULL);
        JOIN(job, LB_STATUS_OK);
        CHECK(sqlite3_close(db) == SQLITE_OK);
        CHECK(unlink(destination.s) == 0);
        CHECK(rmdir(backups.s) == 0);
    }
}

int main(int argc, char **argv) {
    static const scenario table[] = {
        {"handlers-run-on-host-threads", handlers_run_on_host_threads},
        {"blocked-signals-stay-pending", blocked_signals_stay_pending},
        {"dispositions-and-mask-stay", dispositions_and_mask_stay},
        {"file-size-limit-is-an-error-not-an-end", file_size_limit_is_an_error_not_an_end},
    };
    return run_named_scenario(argc > 1 ? argv[1] : "", table, sizeof table / sizeof *table);
}
