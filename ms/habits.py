"""What people who come from other languages write, and what M/s has in its place.

Only for suggestions: a name of these tables that the program declares means what it says there. `errors.py` makes the
sentences.
"""

from __future__ import annotations

FUNCTIONS = {
    **dict.fromkeys(("length", "len", "strlen", "count"), "size(x)"),
    **dict.fromkeys(("push_back", "push", "add", "append", "emplace_back"), "v :: x appends to a vector or a string"),
    **dict.fromkeys(("printf", "fprintf", "sprintf"), "print(x, y) and format(\"{} and {}\", x, y)"),
    **dict.fromkeys(("println", "puts", "echo", "log_line"), "print(x)"),
    **dict.fromkeys(("to_string", "toString", "itoa", "repr"), "str(x)"),
    **dict.fromkeys(("atoi", "stoi", "parseInt"), "parse_int(s)"),
    **dict.fromkeys(("atof", "stod", "parseFloat"), "parse_double(s)"),
    **dict.fromkeys(("substr", "substring", "slice"), "s[a..b]"),
    **dict.fromkeys(("strcmp", "equals"), "a == b, and a < b"),
    **dict.fromkeys(("strcat", "concat"), "a + b"),
    **dict.fromkeys(("empty", "is_empty", "isEmpty"), "size(x) == 0"),
    **dict.fromkeys(("fabs",), "abs(x)"),
    **dict.fromkeys(("containsKey", "has_key", "contains_key"), "has(m, k)"),
    **dict.fromkeys(("erase", "removeAt", "delete_at"), "remove(v, i)"),
    **dict.fromkeys(("malloc", "calloc", "realloc", "free"), "memory is managed, and vectors grow by themselves"),
    **dict.fromkeys(("assert",), "if (…) fail(\"why\")"),
    **dict.fromkeys(("throw", "panic", "raise", "abort"), "fail(\"why\")"),
    **dict.fromkeys(("spawn", "async", "go", "submit"), "remote f(x)"),
    **dict.fromkeys(("await", "join_all", "result"), "get(j)"),
    **dict.fromkeys(("usleep", "nanosleep"), "sleep(seconds)"),
    **dict.fromkeys(("rand", "srand"), "random(seed), next_int(r, n)"),
    **dict.fromkeys(("system", "popen"), "exec(argv, stdin)"),
    **dict.fromkeys(("getenv",), "env(name)"),
    **dict.fromkeys(("range",), "a..b"),
}

TYPES = {
    **dict.fromkeys(("size_t", "ssize_t", "uint64_t", "int64_t", "i64", "u64", "ulong"), "long"),
    **dict.fromkeys(("uint32_t", "int32_t", "i32", "u32", "uint", "unsigned", "short", "integer"), "int or long"),
    **dict.fromkeys(("uint8_t", "int8_t", "byte", "u8"), "char, a byte"),
    **dict.fromkeys(("f64", "real", "number"), "double"),
    **dict.fromkeys(("f32",), "float"),
    **dict.fromkeys(("boolean", "_Bool"), "bool"),
    **dict.fromkeys(("str", "text", "String"), "string"),
    **dict.fromkeys(("list", "array", "deque", "Vec", "span"), "vector<T>"),
    **dict.fromkeys(("dict", "HashMap", "unordered_map"), "map<K, V>"),
    **dict.fromkeys(("set", "unordered_set"), "map<K, bool>"),
    **dict.fromkeys(("future", "task", "promise", "handle"), "job<T>"),
    **dict.fromkeys(("let", "var", "val"), "auto, or the type"),
    **dict.fromkeys(("class", "record", "tuple", "pair"), "struct"),
}

NAMES = {
    **dict.fromkeys(("null", "NULL", "nullptr", "None", "nil"), "every variable has a value, at first zero or empty"),
    **dict.fromkeys(("True", "TRUE"), "true"),
    **dict.fromkeys(("False", "FALSE"), "false"),
    **dict.fromkeys(("M_PI", "PI"), "pi"),
    **dict.fromkeys(("INFINITY", "Infinity", "inf"), "infinity"),
    **dict.fromkeys(("NAN", "NaN"), "nan"),
    **dict.fromkeys(("cout", "stdout", "console", "System"), "print(x)"),
    **dict.fromkeys(("cerr", "stderr"), "eprint(x)"),
    **dict.fromkeys(("cin", "stdin", "input"), "read_line()"),
    **dict.fromkeys(("endl",), "\"\\n\"; print ends its line by itself"),
    **dict.fromkeys(("argv", "argc"), "args(), arg(i, default)"),
}
