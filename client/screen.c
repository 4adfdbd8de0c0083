/* SPDX-License-Identifier: MIT */
#include "client/screen.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "common/err.h"
#include "common/table.h"
#include "common/text.h"

#define COLUMNS_DEFAULT 80
#define ROWS_DEFAULT    24
#define SIZE_MAX_SHOWN  1000

/* Alternate screen; no cursor; no wrapping, since a character may be wider on this
 * terminal than it is taken to be. */
#define ENTER           "\033[?1049h\033[?25l\033[?7l\033[H\033[2J"
#define LEAVE           "\033[?7h\033[?25h\033[0m\033[?1049l"

static int write_all(const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return SPG_ERR_IO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

void spg_screen_measure(struct spg_screen *screen)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		size.ws_col = size.ws_row = 0;
	screen->columns = size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
	screen->rows = size.ws_row ? size.ws_row : ROWS_DEFAULT;
	if (screen->columns > SIZE_MAX_SHOWN)
		screen->columns = SIZE_MAX_SHOWN;
	if (screen->rows > SIZE_MAX_SHOWN)
		screen->rows = SIZE_MAX_SHOWN;
	spg_buf_clear(&screen->shown);
}

void spg_screen_open(struct spg_screen *screen)
{
	struct termios raw;

	if (screen->open)
		return;
	screen->raw = tcgetattr(STDIN_FILENO, &screen->before) == 0;
	raw = screen->before;
	/* Keys at once and unseen; Ctrl-C and Ctrl-Z are signals as ever. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (screen->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	screen->open = true;
	spg_screen_measure(screen);
	write_all(ENTER, strlen(ENTER));
}

void spg_screen_close(struct spg_screen *screen)
{
	if (!screen->open)
		return;
	screen->open = false;
	write_all(LEAVE, strlen(LEAVE));
	/* What was typed and not read is not for the shell. */
	if (screen->raw)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen->before);
}

void spg_screen_finish(struct spg_screen *screen)
{
	spg_screen_close(screen);
	spg_buf_finish(&screen->shown);
}

/* ---- drawing ---- */

static unsigned width_of(const char *text, size_t n)
{
	mbstate_t state = {0};
	wchar_t c;
	int width;

	if (mbrtowc(&c, text, n, &state) != n)
		return 1;
	width = wcwidth(c);
	return width < 0 ? 1 : (unsigned)width;
}

/* Append the line of @n bytes at @line, cut to @columns. */
static void put_cut(struct spg_buf *out, const char *line, size_t n, unsigned columns)
{
	unsigned used = 0;

	for (size_t i = 0, len; i < n; i += len) {
		if (line[i] == '\033') { /* to the letter that ends it */
			len = strcspn(line + i, "m") + 1;
			len = len > n - i ? n - i : len;
		} else {
			unsigned width;

			len = spg_text_utf8_length(line + i, n - i);
			len = len ? len : 1;
			width = width_of(line + i, len);
			if (used + width > columns)
				break;
			used += width;
		}
		spg_buf_add(out, line + i, len);
	}
	spg_buf_puts(out, "\033[0m");
}

/* The next line of @frame from *@at on, its length in *@ret; NULL: no more. */
static const char *next_line(const struct spg_buf *frame, size_t *at, size_t *ret)
{
	const char *line = spg_buf_text(frame) + *at;

	if (*at >= frame->len)
		return NULL;
	*ret = strcspn(line, "\n");
	*at += *ret + 1;
	return line;
}

int spg_screen_draw(struct spg_screen *screen, const struct spg_buf *frame)
{
	struct spg_buf out = SPG_BUF_NULL;
	bool all = screen->shown.len == 0;
	size_t at = 0, old_at = 0;
	int err = 0;

	if (all)
		spg_buf_puts(&out, "\033[0m\033[2J");
	for (unsigned row = 0; row < screen->rows; row++) {
		size_t n = 0, old_n = 0;
		const char *line = next_line(frame, &at, &n);
		const char *old = next_line(&screen->shown, &old_at, &old_n);

		if (n == old_n && (n == 0 || memcmp(line, old, n) == 0))
			continue;
		/* Erased first: in the last column the cursor stays on what it wrote. */
		spg_buf_printf(&out, "\033[%u;1H\033[K", row + 1);
		put_cut(&out, line ? line : "", n, screen->columns);
	}
	spg_buf_clear(&screen->shown);
	spg_buf_add(&screen->shown, spg_buf_text(frame), frame->len);
	/* Out of memory: all of it, the next time. */
	if (out.failed || screen->shown.failed) {
		spg_buf_finish(&screen->shown);
		screen->shown = (struct spg_buf)SPG_BUF_NULL;
	} else {
		err = write_all(spg_buf_text(&out), out.len);
	}
	spg_buf_finish(&out);
	return err;
}

/* ---- keys ---- */

/* What terminals send for the keys that are no characters: behind ESC [ or ESC O. */
static enum spg_key key_of_sequence(const char *body, size_t n)
{
	static const struct {
		const char *body;
		enum spg_key key;
	} keys[] = {{"A", SPG_KEY_UP}, {"B", SPG_KEY_DOWN}, {"5~", SPG_KEY_PAGE_UP},
		{"6~", SPG_KEY_PAGE_DOWN}, {"H", SPG_KEY_HOME}, {"1~", SPG_KEY_HOME},
		{"F", SPG_KEY_END}, {"4~", SPG_KEY_END}, {"Z", SPG_KEY_NEXT}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i].body) == n && memcmp(keys[i].body, body, n) == 0)
			return keys[i].key;
	return SPG_KEY_OTHER;
}

static enum spg_key key_of_character(char c)
{
	static const struct {
		char c;
		enum spg_key key;
	} keys[] = {{'q', SPG_KEY_QUIT}, {'Q', SPG_KEY_QUIT}, {'p', SPG_KEY_PAUSE},
		{'P', SPG_KEY_PAUSE}, {'k', SPG_KEY_UP}, {'j', SPG_KEY_DOWN},
		{'g', SPG_KEY_HOME}, {'G', SPG_KEY_END}, {'\t', SPG_KEY_NEXT},
		{'b', SPG_KEY_PAGE_UP}, {' ', SPG_KEY_PAGE_DOWN},
		{'\014', SPG_KEY_REDRAW}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].c == c)
			return keys[i].key;
	return SPG_KEY_OTHER;
}

/* The key at @typed, and in *@ret how many bytes it is; 0: it is not complete. */
static enum spg_key first_key(const char *typed, size_t n, size_t *ret)
{
	size_t i = 2;

	*ret = 1;
	if (typed[0] != '\033')
		return key_of_character(typed[0]);
	if (n < 2) {
		*ret = 0;
		return SPG_KEY_OTHER;
	}
	if (typed[1] != '[' && typed[1] != 'O')
		return SPG_KEY_OTHER; /* the key Escape; another one follows */
	/* Parameters, then one byte that ends it (ECMA-48, 5.4). */
	while (i < n && (unsigned char)typed[i] < 0x40)
		i++;
	*ret = i < n ? i + 1 : 0;
	return i < n ? key_of_sequence(typed + 2, i - 1) : SPG_KEY_OTHER;
}

int spg_screen_keys(struct spg_screen *screen, enum spg_key ret[SPG_SCREEN_KEYS])
{
	size_t at = 0, used, room = sizeof(screen->typed) - screen->n_typed;
	ssize_t n = read(STDIN_FILENO, screen->typed + screen->n_typed, room);
	int found = 0;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0)
		return -1;
	screen->n_typed += (size_t)n;
	while (at < screen->n_typed) {
		enum spg_key key =
			first_key(screen->typed + at, screen->n_typed - at, &used);

		if (used == 0)
			break;
		ret[found++] = key;
		at += used;
	}
	/* An endless sequence is none. */
	if (at == 0 && screen->n_typed == sizeof(screen->typed))
		at = screen->n_typed;
	memmove(screen->typed, screen->typed + at, screen->n_typed - at);
	screen->n_typed -= at;
	return found;
}
