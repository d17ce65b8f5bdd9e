/* Strings and text: finding, splitting, parsing, formatting, quoting. Formatting and parsing of numbers at large is compared with Python's by
 * tests/test_runtime_core.py. */
#include "core/text.h"
#include "tests/check.h"
#include "tests/program.h"

#include <math.h>

static void split_block(void)
{
    expect_texts(ms_split(text_of("a,,b"), text_of(",")), "[a][][b]");
    expect_texts(ms_split(text_of(""), text_of(",")), "[]");
    expect_texts(ms_split((ms_vector){0}, text_of(",")), "[]");
    expect_texts(ms_split(text_of(",a,"), text_of(",")), "[][a][]");
    expect_texts(ms_split(text_of("a--b---c"), text_of("--")), "[a][b][-c]");
    expect_texts(ms_split_space(text_of("  one\ttwo \r\n three")), "[one][two][three]");
    expect_texts(ms_split_space(text_of(" \n")), "");
    expect_texts(ms_split_space((ms_vector){0}), "");
}

static void join_block(void)
{
    ms_vector parts[] = {text_of("a"), text_of(""), text_of("ccc")};
    expect_text(ms_join((ms_vector){parts, 3, 0}, text_of(", ")), "a, , ccc");
    expect_text(ms_join((ms_vector){parts, 1, 0}, text_of(", ")), "a");
    expect_text(ms_join((ms_vector){0}, text_of(", ")), "");
    expect_text(ms_trim(text_of(" \t a b \n")), "a b");
    expect_text(ms_trim(text_of("  ")), "");
    expect_text(ms_trim((ms_vector){0}), "");
}

static void find_block(void)
{
    CHECK_INT(ms_string_find(text_of("banana"), text_of("nan")), 2);
    CHECK_INT(ms_string_find(text_of("banana"), text_of("x")), -1);
    CHECK_INT(ms_string_find(text_of("ab"), text_of("abc")), -1);
    CHECK_INT(ms_string_find((ms_vector){0}, (ms_vector){0}), 0);
    CHECK_INT(ms_string_find_char(text_of("banana"), 'n'), 2);
    CHECK_INT(ms_string_find_char((ms_vector){0}, 'n'), -1);
    CHECK(ms_string_compare(text_of("a"), text_of("b")) < 0 && ms_string_compare(text_of("ab"), text_of("a")) > 0);
    CHECK(ms_string_compare(text_of("\xff"), text_of("a")) > 0 && ms_string_compare((ms_vector){0}, text_of("")) == 0);
    CHECK(ms_string_equal(text_of("ab"), text_of("ab")) && !ms_string_equal(text_of("ab"), text_of("ac")));
}

static void parse_block(void)
{
    CHECK_INT(ms_parse_int(text_of(" -2147483648\n")), INT32_MIN);
    CHECK_INT(ms_parse_int(text_of("+42")), 42);
    CHECK_INT(ms_parse_long(text_of("9223372036854775807")), INT64_MAX);
    CHECK_INT(ms_parse_long(text_of("-9223372036854775808")), INT64_MIN);
    CHECK(ms_parse_double(text_of(" 1.5e3 ")) == 1500 && ms_parse_double(text_of("-.5")) == -0.5);
    CHECK(ms_parse_float(text_of(" 7.038531e-26")) == 7.038531e-26f && ms_parse_float(text_of("-0.1")) == -0.1f);
    CHECK(ms_parse_double(text_of("5.")) == 5 && isnan(ms_parse_double(text_of("nan"))));
    CHECK(ms_parse_double(text_of("-inf")) == -INFINITY && ms_parse_double(text_of("1e999")) == INFINITY);
    CHECK(ms_parse_bool(text_of("true")) && !ms_parse_bool(text_of("false")));
    CHECK_INT(ms_parse_char(text_of("x")), 'x');
}

static void quote_block(void)
{
    ms_vector text = {0};
    ms_text_quoted_string(&text, text_of("a\"b\\c'\n\t\r\x01\x7f"));
    ms_text_quoted_string(&text, (ms_vector){"\0", 1, 0});
    expect_text(text, "\"a\\\"b\\\\c'\\n\\t\\r\\x01\\x7f\"\"\\0\"");
    text = (ms_vector){0};
    ms_text_quoted_string(&text, text_of("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xc3 \xff\xe2\x82 \xc0\x80 \xed\xa0\x80 \xc2\x85"));
    expect_text(text, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \\xc3 \\xff\\xe2\\x82 \\xc0\\x80 \\xed\\xa0\\x80 \\xc2\\x85\"");
    text = (ms_vector){0};
    ms_text_quoted_char(&text, 'a');
    ms_text_quoted_char(&text, '\'');
    ms_text_quoted_char(&text, '"');
    ms_text_quoted_char(&text, 0xe9);
    ms_text_quoted_char(&text, 0);
    expect_text(text, "'a''\\'''\"''\\xe9''\\0'");
}

static void text_block(void)
{
    ms_vector text = {0};
    ms_text_int(&text, INT32_MIN);
    ms_text_char(&text, ' ');
    ms_text_long(&text, INT64_MIN);
    ms_text_char(&text, ' ');
    ms_text_long(&text, INT64_MAX);
    ms_text_bool(&text, true);
    ms_text_bool(&text, false);
    for (int32_t state = 0; state < 3; state++)
        ms_text_state(&text, state);
    expect_text(text, "-2147483648 -9223372036854775808 9223372036854775807truefalserunningfinishedfailed");
    text = text_of("fixed "); /* static data is copied when something is added */
    ms_text_double(&text, -0.0);
    ms_text_float(&text, 0.1f);
    expect_text(text, "fixed -0.00.1");
}

static void splits(void) { program_finish(split_block); }
static void joins(void) { program_finish(join_block); }
static void finds(void) { program_finish(find_block); }
static void parses(void) { program_finish(parse_block); }
static void quotes(void) { program_finish(quote_block); }
static void formats(void) { program_finish(text_block); }

static void expect_number(double value, const char *expected)
{
    char buffer[MS_NUMBER_SIZE];
    CHECK_BYTES(buffer, ms_format_double(buffer, value), expected);
}

static void formats_doubles(void)
{
    expect_number(0.0, "0.0");
    expect_number(-0.0, "-0.0");
    expect_number(2.0, "2.0");
    expect_number(0.1, "0.1");
    expect_number(100000.0, "100000.0");
    expect_number(1e15, "1000000000000000.0");
    expect_number(1e16, "1e+16");
    expect_number(1e-4, "0.0001");
    expect_number(1e-5, "1e-05");
    expect_number(1.25e300, "1.25e+300");
    expect_number(5e-324, "5e-324");
    expect_number(1.7976931348623157e308, "1.7976931348623157e+308");
    expect_number(0.1 + 0.2, "0.30000000000000004");
    expect_number(9007199254740993.0, "9007199254740992.0");
    expect_number((double)NAN, "nan");
    expect_number((double)-INFINITY, "-inf");
}

static void split_by_nothing(void) { ms_split(text_of("a"), text_of("")); }
static void parse_letters(void) { ms_parse_int(text_of("x12")); }
static void parse_nothing(void) { ms_parse_long((ms_vector){0}); }
static void parse_too_large(void) { ms_parse_int(text_of("2147483648")); }
static void parse_words(void) { ms_parse_double(text_of("1.5x")); }
static void parse_point(void) { ms_parse_double(text_of(".")); }
static void parse_hex(void) { ms_parse_double(text_of("0x10")); }
static void parse_maybe(void) { ms_parse_bool(text_of("maybe")); }
static void parse_two(void) { ms_parse_char(text_of("ab")); }
static void parse_long_text(void) { ms_parse_int(text_of("0123456789012345678901234567890123456789x")); }

static void fails_with_messages(void)
{
    program_expect(split_by_nothing, "empty separator", NULL);
    program_expect(parse_letters, "cannot parse \"x12\" as int", NULL);
    program_expect(parse_nothing, "cannot parse \"\" as long", NULL);
    program_expect(parse_too_large, "cannot parse \"2147483648\" as int", NULL);
    program_expect(parse_words, "cannot parse \"1.5x\" as double", NULL);
    program_expect(parse_point, "cannot parse \".\" as double", NULL);
    program_expect(parse_hex, "cannot parse \"0x10\" as double", NULL);
    program_expect(parse_maybe, "cannot parse \"maybe\" as bool", NULL);
    program_expect(parse_two, "cannot parse \"ab\" as char", NULL);
    program_expect(parse_long_text, "cannot parse \"0123456789012345678901234567890123456789\"... as int", NULL);
}

int main(void)
{
    ms_task_setup();
    RUN(splits);
    RUN(joins);
    RUN(finds);
    RUN(parses);
    RUN(quotes);
    RUN(formats);
    RUN(formats_doubles);
    RUN(fails_with_messages);
    return 0;
}
