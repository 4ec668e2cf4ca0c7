/* prompt.c -- see prompt.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "daemon/prompt.h"

#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#    define NEXUS_SANITIZED
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define NEXUS_SANITIZED
#    endif
#endif

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/* For the handler of signals: the terminal gets its echo back, whatever ends us. */
static struct termios usual;
static int terminal = -1;

void prompt_hide_memory(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
#ifndef NEXUS_SANITIZED /* the sanitizer of leaks looks at its own process as a debugger does */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void prompt_wipe(struct password *password)
{
    explicit_bzero(password, sizeof(*password));
}

static bool refuse(const char *words)
{
    fprintf(stderr, "nexusd passwd: %s\n", words);
    return false;
}

/* Reads to the end of the line, or of all; without the end of the line. */
static bool read_line(int fd, struct password *password, bool *has_more)
{
    size_t len = 0;
    ssize_t got;

    *has_more = false;
    do {
        got = read(fd, password->text + len, sizeof(password->text) - len);
        if (got < 0 && errno == EINTR)
            continue;
        len += got > 0 ? (size_t)got : 0;
    } while (got != 0 && (got > 0 || errno == EINTR) && len < sizeof(password->text) &&
             memchr(password->text, '\n', len) == NULL);
    const char *end = memchr(password->text, '\n', len);
    password->len = end == NULL ? len : (size_t)(end - password->text);
    *has_more = end != NULL && password->len + 1 < len;
    return got >= 0;
}

static bool check(const struct password *password)
{
    if (password->len == 0)
        return refuse("the password is empty");
    if (password->len > MAX_PASSWORD_LEN)
        return refuse("the password is longer than 4096 octets");
    if (!utf8_is_valid(slice_make(password->text, password->len)))
        return refuse("the password is not UTF-8");
    return true;
}

bool prompt_stdin(struct password *password)
{
    bool has_more;

    if (!read_line(STDIN_FILENO, password, &has_more))
        return refuse("cannot read standard input");
    if (has_more)
        return refuse("standard input has more than one line");
    return check(password);
}

/* ---- the terminal ---- */

static void on_signal(int number)
{
    (void)tcsetattr(terminal, TCSAFLUSH, &usual);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static bool ask(const char *words, struct password *password)
{
    bool has_more;

    (void)!write(terminal, words, strlen(words));
    bool is_read = read_line(terminal, password, &has_more);
    (void)!write(terminal, "\n", 1);
    return is_read;
}

static bool ask_twice(struct password *password)
{
    struct password again;
    bool is_same;

    if (!ask("Password: ", password))
        return refuse("cannot read from the terminal");
    if (!check(password))
        return false;
    is_same = ask("The same again: ", &again) && again.len == password->len &&
              memcmp(again.text, password->text, again.len) == 0;
    prompt_wipe(&again);
    return is_same || refuse("the two passwords differ");
}

bool prompt_terminal(struct password *password)
{
    struct termios silent;
    bool is_good;

    terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0 || tcgetattr(terminal, &usual) != 0) {
        if (terminal >= 0)
            close(terminal);
        return refuse("there is no terminal to ask at; give --stdin, and the password there");
    }
    for (size_t i = 0; i < ARRAY_LEN(ending); i++)
        (void)signal(ending[i], on_signal);
    silent = usual;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    (void)tcsetattr(terminal, TCSAFLUSH, &silent);
    is_good = ask_twice(password);
    (void)tcsetattr(terminal, TCSAFLUSH, &usual);
    for (size_t i = 0; i < ARRAY_LEN(ending); i++)
        (void)signal(ending[i], SIG_DFL);
    close(terminal);
    return is_good;
}
