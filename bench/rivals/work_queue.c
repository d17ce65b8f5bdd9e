/* A master of Work Queue: work_queue noop|trip COUNT WORKER, where WORKER is the program work_queue_worker
 *
 * Each task is a command; 32 are queued ahead, one for `trip`. Prints the seconds; what the commands print is checked. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <work_queue.h>

enum { WINDOW = 32 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void submit(struct work_queue *queue, long i) {
    char command[64];
    snprintf(command, sizeof command, "echo %ld", i);
    struct work_queue_task *task = work_queue_task_create(command);
    work_queue_task_specify_cores(task, 1);
    work_queue_submit(queue, task);
}

/* `count` tasks; the sum of what they print. */
static long run(struct work_queue *queue, long count, long window) {
    long sent = 0, sum = 0;
    while (sent < count && sent < window) submit(queue, sent++);
    for (long done = 0; done < count;) {
        struct work_queue_task *task = work_queue_wait(queue, 5);
        if (task == NULL) continue;
        sum += task->output != NULL ? atol(task->output) : 0;
        work_queue_task_delete(task);
        done++;
        if (sent < count) submit(queue, sent++);
    }
    return sum;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    int trip = strcmp(argv[1], "trip") == 0;
    long count = atol(argv[2]), workers = trip ? 1 : 2;
    struct work_queue *queue = work_queue_create(0);
    if (queue == NULL) return 1;
    char port[16];
    snprintf(port, sizeof port, "%d", work_queue_port(queue));
    pid_t pids[2];
    for (long i = 0; i < workers; i++)
        if ((pids[i] = fork()) == 0) {
            execl(argv[3], argv[3], "--cores", "1", "localhost", port, (char *)NULL);
            _exit(127);
        }
    run(queue, 4 * workers, 4 * workers);
    double began = now();
    long sum = run(queue, count, trip ? 1 : WINDOW);
    double seconds = now() - began;
    work_queue_delete(queue);
    for (long i = 0; i < workers; i++) kill(pids[i], SIGTERM), waitpid(pids[i], NULL, 0);
    if (sum != count * (count - 1) / 2) return 1;
    printf("%.9f\n", seconds);
    return 0;
}
