/* What a power cut leaves of files: loaded into a server (LD_PRELOAD), it notes what fsync and fdatasync made durable.
 *
 * Below $BASALT_SHADOW, when a call has returned from the kernel and before it returns to the server:
 *   data/<inode>   the contents of a file at its last sync
 *   dirs/<inode>   the names in a directory at its last sync: "<inode> <name>" lines
 *   held/<inode>   another link to a file about to lose a name, so that its inode number is not used again
 * What is written during a call may be noted with it, as a disk may keep more than it was asked to. Mappings count as
 * never synced. power.rs makes a directory of this. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static const char *shadow(void) {
    static const char *dir;
    if (!dir) dir = getenv("BASALT_SHADOW");
    return dir;
}

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

/* A server that runs on without its notes would prove nothing. */
static void must(int ok, const char *what) {
    if (ok) return;
    perror(what);
    abort();
}

static int begin(const char *kind, unsigned long inode, char *path, char *temporary) {
    snprintf(path, PATH_BYTES, "%s/%s/%lu", shadow(), kind, inode);
    snprintf(temporary, PATH_BYTES, "%s/%s/%lu.%ld.tmp", shadow(), kind, inode, syscall(SYS_gettid));
    int out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    must(out >= 0, "a note of lost power");
    return out;
}

static void end(int out, const char *path, const char *temporary) {
    close(out);
    must(syscall(SYS_rename, temporary, path) == 0, "a note of lost power");
}

static void note_file(int fd, unsigned long inode) {
    char self[64], path[PATH_BYTES], temporary[PATH_BYTES], buffer[1 << 16];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    int in = open(self, O_RDONLY);
    must(in >= 0, "a synced file");
    int out = begin("data", inode, path, temporary);
    ssize_t got;
    while ((got = read(in, buffer, sizeof buffer)) > 0)
        must(write(out, buffer, got) == got, "a note of lost power");
    must(got == 0, "a synced file");
    close(in);
    end(out, path, temporary);
}

static void note_dir(int fd, unsigned long inode) {
    char self[64], path[PATH_BYTES], temporary[PATH_BYTES];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    DIR *dir = opendir(self);
    must(dir != NULL, "a synced directory");
    int out = begin("dirs", inode, path, temporary);
    struct dirent *entry;
    while ((entry = readdir(dir)))
        if (entry->d_type == DT_REG) dprintf(out, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    closedir(dir);
    end(out, path, temporary);
}

static int synced(const char *name, int fd) {
    int (*real)(int) = (int (*)(int))next(name);
    int outcome = real(fd), error = errno;
    struct stat about;
    if (outcome == 0 && shadow() && fstat(fd, &about) == 0) {
        if (S_ISREG(about.st_mode)) note_file(fd, about.st_ino);
        if (S_ISDIR(about.st_mode)) note_dir(fd, about.st_ino);
    }
    errno = error;
    return outcome;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

static void hold(const char *name) {
    struct stat about;
    char path[PATH_BYTES];
    if (!shadow() || stat(name, &about) != 0 || !S_ISREG(about.st_mode)) return;
    snprintf(path, sizeof path, "%s/held/%lu", shadow(), (unsigned long)about.st_ino);
    must(link(name, path) == 0 || errno == EEXIST || errno == ENOENT, "a hold on a file");
}

int unlink(const char *name) {
    hold(name);
    return ((int (*)(const char *))next("unlink"))(name);
}

int rename(const char *from, const char *to) {
    hold(to);
    return ((int (*)(const char *, const char *))next("rename"))(from, to);
}
