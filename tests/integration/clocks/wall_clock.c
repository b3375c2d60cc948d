/* A process's wall clock, off by as many seconds as stand in a file, at once for all who preload this.
 *
 * Monotonic clocks stay as they are. Whoever waits until a time of the wall clock waits until it is that time there, as
 * far as the clock is not set meanwhile. libfaketime does the same and more, but Debian's (0.9.10) breaks sleeping until a
 * monotonic time, which is how Python sleeps.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ON_MONOTONIC 2u /* of a condition variable, in glibc's __wrefs */

static const int64_t right = 0;
static const volatile int64_t *off_s = &right;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);
static long (*real_syscall)(long, ...);

static void find(void) {
    if (real_syscall != NULL)
        return;
    *(void **)&real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    *(void **)&real_cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (real_cond_timedwait == NULL)
        *(void **)&real_cond_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    *(void **)&real_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
    *(void **)&real_syscall = dlsym(RTLD_NEXT, "syscall");
}

__attribute__((constructor)) static void begin(void) {
    find();
    const char *path = getenv("WALL_CLOCK_FILE");
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *shared = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED)
        off_s = shared;
}

static struct timespec rightly(const struct timespec *told) {
    struct timespec meant = *told;
    meant.tv_sec -= *off_s;
    return meant;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    find();
    int failed = real_clock_gettime(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += *off_s;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec fine;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &fine);
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *now) {
    struct timespec fine;
    clock_gettime(CLOCK_REALTIME, &fine);
    if (now != NULL)
        *now = fine.tv_sec;
    return fine.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    find();
    if (condition->__data.__wrefs & ON_MONOTONIC)
        return real_cond_timedwait(condition, mutex, until);
    struct timespec meant = rightly(until);
    return real_cond_timedwait(condition, mutex, &meant);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    find();
    struct timespec meant = rightly(until);
    return real_sem_timedwait(semaphore, &meant);
}

long syscall(long number, ...) {
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    find();
    struct timespec meant;
    if (number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) && a[3] != 0) { /* absl waits, and with it gRPC */
        meant = rightly((const struct timespec *)a[3]);
        a[3] = (long)&meant;
    }
    return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
