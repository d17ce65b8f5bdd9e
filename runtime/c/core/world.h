/* What the program learns about the world it runs in; the functions themselves stand in ms.h. */
#ifndef MS_WORLD_H
#define MS_WORLD_H

/* The words after -- on the command line, once, before the master block runs. They must stay as long as the process. */
void ms_world_set_args(int count, char *const *words);
#endif
