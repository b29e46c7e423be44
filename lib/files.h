/*
 * files.h - what is asked of the file system beside stores. Internal.
 */
#ifndef FILES_H
#define FILES_H

const char *files_temp(void); /* the folder of temporary files: $TMPDIR, or /tmp */
/* A temporary file without a name, mode 0600: nothing is left behind however we end. -1, errno. */
int files_nameless(void);
#define CKPT_NO_ROOM "its disk is full: free some room, then run the same again"
/* The folder that a path lies in, to disk: a name in it counts only then. 0, or -1 and errno. */
int files_sync_folder(const char *path);
int files_sync(const char *path); /* a file that nobody here has open, and its name */

#endif
