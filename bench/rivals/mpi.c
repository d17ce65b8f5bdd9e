/* A manager and workers over MPI: what people write by hand today. mpirun -n 3 (2 for trip) mpi noop|trip|in|out COUNT,
 * mpi grain|loop COUNT STEPS
 *
 * Rank 0 hands out, 32 small messages on their way to each worker, one large one. Prints the seconds; results are checked.
 * `grain` computes so many steps for each message, `loop` the same in rank 0 alone; both print the sum of the results too. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 32, LONGS = 1000000, STOP = 0, WORK = 1 };

static int64_t *values, total;
static long steps = 1000;

static void stop(const char *what) {
    fprintf(stderr, "mpi: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static int64_t spin(int64_t x) {
    for (long i = 0; i < steps; i++) x = (x * 1664525 + 1013904223) & 0xffffffff;
    return x;
}

/* Receives arguments of up to LONGS numbers, answers with the result, until it is told to stop. */
static void work(const char *mode) {
    for (;;) {
        MPI_Status status;
        MPI_Recv(values, LONGS, MPI_INT64_T, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        if (status.MPI_TAG == STOP) return;
        int count = 1;
        if (strcmp(mode, "in") == 0) {
            int64_t sum = 0;
            for (int i = 0; i < LONGS; i++) sum += values[i];
            values[0] = sum;
        } else if (strcmp(mode, "grain") == 0) {
            values[0] = spin(values[0]);
        } else if (strcmp(mode, "out") == 0) {
            int64_t x = values[0];
            for (int i = 0; i < LONGS; i++) values[i] = x;
            count = LONGS;
        }
        MPI_Send(values, count, MPI_INT64_T, 0, WORK, MPI_COMM_WORLD);
    }
}

static double manage(const char *mode, long count, int workers) {
    int in = strcmp(mode, "in") == 0, out = strcmp(mode, "out") == 0;
    int window = in || out || strcmp(mode, "trip") == 0 ? 1 : WINDOW;
    int64_t *back = malloc(LONGS * sizeof *back), sum = 0;
    long sent = 0, answered = 0;
    for (int i = 0; i < LONGS; i++) values[i] = 1;
    double began = MPI_Wtime();
    for (int k = 0; k < window; k++)
        for (int worker = 1; worker <= workers && sent < count; worker++) {
            values[0] = sent++;
            MPI_Send(values, in ? LONGS : 1, MPI_INT64_T, worker, WORK, MPI_COMM_WORLD);
        }
    while (answered < count) {
        MPI_Status status;
        MPI_Recv(back, LONGS, MPI_INT64_T, MPI_ANY_SOURCE, WORK, MPI_COMM_WORLD, &status);
        if (out && back[0] != back[LONGS - 1]) stop("wrong answer");
        sum += back[0] - (in ? LONGS - 1 : 0);
        answered++;
        if (sent == count) continue;
        values[0] = sent++;
        MPI_Send(values, in ? LONGS : 1, MPI_INT64_T, status.MPI_SOURCE, WORK, MPI_COMM_WORLD);
    }
    double seconds = MPI_Wtime() - began;
    if (strcmp(mode, "grain") != 0 && sum != (int64_t)count * (count - 1) / 2) stop("wrong sum");
    total = sum;
    for (int worker = 1; worker <= workers; worker++) MPI_Send(values, 1, MPI_INT64_T, worker, STOP, MPI_COMM_WORLD);
    return seconds;
}

static double loop(long count) {
    double began = MPI_Wtime();
    for (long i = 0; i < count; i++) total += spin(i);
    return MPI_Wtime() - began;
}

int main(int argc, char **argv) {
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc < 3) stop("usage: mpi noop|trip|in|out|grain|loop COUNT [STEPS]");
    if (argc > 3) steps = atol(argv[3]);
    values = malloc(LONGS * sizeof *values);
    long count = atol(argv[2]);
    int computes = strcmp(argv[1], "grain") == 0, alone = strcmp(argv[1], "loop") == 0;
    if (rank == 0) {
        double seconds = alone ? loop(count) : manage(argv[1], count, size - 1);
        if (computes || alone) printf("%.9f %lld\n", seconds, (long long)total);
        else printf("%.9f\n", seconds);
    } else if (!alone) {
        work(argv[1]);
    }
    MPI_Finalize();
    return 0;
}
