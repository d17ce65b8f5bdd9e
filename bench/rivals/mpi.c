/* A manager and workers over MPI: what people write by hand today. mpirun -n 3 (2 for trip) mpi noop|trip|in|out COUNT
 *
 * Rank 0 hands out, 32 small messages on their way to each worker, one large one. Prints the seconds; results are checked. */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 32, LONGS = 1000000, STOP = 0, WORK = 1 };

static int64_t *values;

static void stop(const char *what) {
    fprintf(stderr, "mpi: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
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
    if (sum != (int64_t)count * (count - 1) / 2) stop("wrong sum");
    for (int worker = 1; worker <= workers; worker++) MPI_Send(values, 1, MPI_INT64_T, worker, STOP, MPI_COMM_WORLD);
    return seconds;
}

int main(int argc, char **argv) {
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc < 3) stop("usage: mpi noop|trip|in|out COUNT");
    values = malloc(LONGS * sizeof *values);
    if (rank == 0) printf("%.9f\n", manage(argv[1], atol(argv[2]), size - 1));
    else work(argv[1]);
    MPI_Finalize();
    return 0;
}
