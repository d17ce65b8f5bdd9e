"""Random programs that are right: for tests of passes that must cope with whatever the checker lets through.

What comes out type-checks and uses everything that ownership is about: owning locals in every kind of scope,
parameters, references, parts of parts, temporaries, loops that change what they go over, early exits. It is not meant
to be run.
"""

from __future__ import annotations

import random

HEAD = """
struct point { double x; double y; };
struct item { int n; string text; vector<int> v; struct point spot; vector<string> names; };
const vector<int> FEW = fill(3, 7);
int grow(vector<int>& v, int n) { v :: n; return size(v); }
string name(struct item& it, string s) { it->text = it->text + s; return it->text; }
int count(vector<int> v, int n) { return size(v) + n; }
vector<int> more(vector<int> v, int n) { v :: n; return v; }
vector<int> mixed(vector<int> a, vector<int> b) { if (size(a) > size(b)) return a; b :: size(a); return b; }
vector<string> list(string s) { return split(s); }
string pick(vector<string> v, string s) { return size(v) == 0 ? s : v[0]; }
int note(map<string, int>& m, string k) { m[k]++; return size(m); }
map<int, vector<string>> filed(map<int, vector<string>> m, string s) { m[size(s)] :: s; return m; }
int total(map<string, int> m) { int sum; for (string k, int n in m) sum += n; return sum; }
struct item make(string s) { return item{text: s, v: [1]}; }
struct item changed(struct item it, struct point p) { it->spot = p; return it; }
double place(struct point p, double d) { return p->x + d; }
double shift(struct point& p) { p->x = 1.0; return p->x; }
"""

TYPES = ("int", "string", "vector<int>", "vector<string>", "vector<vector<int>>", "struct item", "struct point",
         "vector<struct point>", "vector<struct item>", "map<string, int>", "map<string, struct item>",
         "map<int, vector<string>>", "map<int, struct point>")  # fmt: skip
MAPS = {"int": "map<string, int>", "struct item": "map<string, struct item>",
        "vector<string>": "map<int, vector<string>>", "struct point": "map<int, struct point>"}  # fmt: skip


class _Maker:
    def __init__(self, choice: random.Random) -> None:
        self._random = choice
        self._scopes: list[list[tuple[str, str]]] = []
        self._avoided: set[str] = set()
        self._count = 0
        self._jumps: list[str] = []
        self._result = "void"

    # Expressions

    def _variables(self, type: str) -> list[str]:
        return [n for scope in self._scopes for n, t in scope if t == type and n not in self._avoided]

    def _places(self, type: str) -> list[str]:
        """Variables of a type, and parts of variables."""
        found = self._variables(type)
        items = self._variables("struct item")
        part = {
            "int": "n", "string": "text", "vector<int>": "v", "struct point": "spot", "vector<string>": "names",
        }.get(type)  # fmt: skip
        if part is not None:
            found += [f"{item}->{part}" for item in items]
        whole = f"vector<{type}>" if f"vector<{type}>" in TYPES or type == "string" else None
        if whole is not None:
            found += [f"{v}[{self._random.choice(['0', *self._variables('int')])}]" for v in self._variables(whole)]
        if type == "int":
            found += [f"{item}->v[0]" for item in items]
        return found + self._entries(type)

    def _entries(self, type: str) -> list[str]:
        """Values of maps of this type, or parts of them."""
        found = [f"{m}[{self._key(MAPS[type])}]" for m in self._variables(MAPS.get(type, ""))]
        part = {"string": "text", "vector<int>": "v"}.get(type)
        if part is not None:
            found += [f"{m}[{self._key('string')}]->{part}" for m in self._variables("map<string, struct item>")]
        return found

    def _key(self, map: str) -> str:
        if map.startswith("map<int"):
            return self._random.choice(["0", *self._variables("int")])
        strings = self._variables("string")
        choices = ['"a"', *strings, *(f"{s} + {s}" for s in strings), *(f"trim({s})" for s in strings)]
        return self._random.choice(choices)

    def expression(self, type: str, depth: int = 2) -> str:
        places = self._places(type)
        if places and self._random.random() < (0.5 if depth > 0 else 0.9):
            return self._random.choice(places)
        literals = {
            "int": "1", "string": '"a"', "vector<int>": "[1, 2]", "vector<string>": '["a", "b"]',
            "vector<vector<int>>": "[[1], [2]]", "struct item": "item{n: 1}", "struct point": "point{x: 1.0}",
            "vector<struct point>": "[point{y: 1.0}]", "vector<struct item>": "[item{n: 2}]",
            "map<string, int>": '{"a": 1}', "map<string, struct item>": '{"a": item{n: 1}}',
            "map<int, vector<string>>": '{0: ["a"]}', "map<int, struct point>": "{0: point{x: 1.0}}",
        }  # fmt: skip
        if depth <= 0:
            return literals[type]
        return self._random.choice(self._makers(type, depth - 1) or [literals[type]])

    def _makers(self, type: str, depth: int) -> list[str]:
        """Some ways to make a value; each is written out, though one is taken."""
        kind = self._random.randrange(5)
        if kind == 0:
            condition = self.condition(depth)
            return [f"({condition} ? {self.expression(type, depth)} : {self.expression(type, depth)})"]
        match type:
            case "int":
                call = self._with_reference("vector<int>", "grow({0}, {1})", "int", depth)
                pop = self._with_reference("vector<int>", "pop({0})", "int", depth)
                looks = [
                    f"count({self.expression('vector<int>', depth)}, {self.expression('int', depth)})",
                    f"({self.expression('int', depth)} + {self.expression('int', depth)})",
                    f"size({self.expression('vector<string>', depth)})",
                ]
                note = self._with_reference("map<string, int>", "note({0}, {1})", "string", depth)
                return [*call, *pop, *note, *looks, *self._map_looks(depth)]
            case "string":
                call = self._with_reference("struct item", "name({0}, {1})", "string", depth)
                return [
                    *call,
                    f"({self.expression('string', depth)} + {self.expression('string', depth)})",
                    f"pick({self.expression('vector<string>', depth)}, {self.expression('string', depth)})",
                    f"make({self.expression('string', depth)})->text",
                    f"trim({self.expression('string', depth)})",
                ]
            case "vector<int>":
                return [
                    "FEW",
                    f"more({self.expression(type, depth)}, {self.expression('int', depth)})",
                    f"mixed({self.expression(type, depth)}, {self.expression(type, depth)})",
                    f"({self.expression(type, depth)} + {self.expression(type, depth)})",
                    f"sort({self.expression(type, depth)})",
                    f"[{self.expression('int', depth)}, {self.expression('int', depth)}]",
                    f"make({self.expression('string', depth)})->v",
                ]
            case "vector<string>":
                return [
                    f"list({self.expression('string', depth)})",
                    f"keys({self.expression('map<string, struct item>', depth)})",
                    f"lookup({self.expression('map<int, vector<string>>', depth)}, 0, {self.expression(type, depth)})",
                    f"reverse({self.expression(type, depth)})",
                    f"[{self.expression('string', depth)}, {self.expression('string', depth)}]",
                ]
            case "vector<vector<int>>":
                return [
                    f"[{self.expression('vector<int>', depth)}, {self.expression('vector<int>', depth)}]",
                    f"fill(2, {self.expression('vector<int>', depth)})",
                ]
            case "vector<struct point>" | "vector<struct item>":
                element = type.removeprefix("vector<").removesuffix(">")
                return [
                    f"[{self.expression(element, depth)}, {self.expression(element, depth)}]",
                    f"({self.expression(type, depth)} + {self.expression(type, depth)})",
                    f"reverse({self.expression(type, depth)})",
                ]
            case "struct item":
                return [
                    f"make({self.expression('string', depth)})",
                    f"changed({self.expression(type, depth)}, {self.expression('struct point', depth)})",
                    f"item{{v: {self.expression('vector<int>', depth)}, text: {self.expression('string', depth)}}}",
                ]
            case "struct point":
                return [f"make({self.expression('string', depth)})->spot"]
            case _:
                return self._map_makers(type, depth)

    def _map_looks(self, depth: int) -> list[str]:
        """Ints that are found in maps."""
        return [
            f"total({self.expression('map<string, int>', depth)})",
            f"size({self.expression('map<int, vector<string>>', depth)})",
            f"lookup({self.expression('map<string, int>', depth)}, {self.expression('string', depth)}, 0)",
        ]

    def _map_makers(self, type: str, depth: int) -> list[str]:
        key, value = type.removeprefix("map<").removesuffix(">").split(", ")
        first, second = self.expression(value, depth), self.expression(value, depth)
        if key == "int":
            made = [f"{{0: {first}, {self.expression('int', depth)}: {second}}}"]
        else:
            made = [f"{{{self.expression(key, depth)}: {first}}}"]
        if type == "map<int, vector<string>>":
            made.append(f"filed({self.expression(type, depth)}, {self.expression('string', depth)})")
        return made

    def _with_reference(self, type: str, call: str, argument: str, depth: int) -> list[str]:
        """A call that changes a variable: nothing else in it may reach that variable."""
        places = [(variable, variable) for variable in self._variables(type)]
        places += [(m, f"{m}[{self._key(MAPS[type])}]") for m in self._variables(MAPS.get(type, ""))]
        if not places:
            return []
        variable, place = self._random.choice(places)
        self._avoided.add(variable)
        text = call.format(place, self.expression(argument, depth))
        self._avoided.discard(variable)
        return [text]

    def condition(self, depth: int = 1) -> str:
        kind = self._random.randrange(4)
        if kind == 0 and depth > 0:
            operator = self._random.choice(["&&", "||"])
            return f"({self.condition(depth - 1)} {operator} {self.condition(depth - 1)})"
        if kind == 1:
            return f"{self.expression('string', depth)} == {self.expression('string', depth)}"
        if kind == 2:
            points = self._variables("struct point")
            if points:
                point = self._random.choice(points)
                return f"place({point}, shift({point})) > 1.0"
        return f"{self.expression('int', depth)} < {self.expression('int', depth)}"

    # Statements

    def _name(self, type: str) -> str:
        self._count += 1
        name = f"x{self._count}"
        self._scopes[-1].append((name, type))
        return name

    def block(self, depth: int, *variables: tuple[str, str]) -> str:
        self._scopes.append(list(variables))
        statements = [self.statement(depth) for _ in range(self._random.randint(1, 4))]
        self._scopes.pop()
        return "{ " + " ".join(statements) + " }"

    def statement(self, depth: int) -> str:
        kind = self._random.randrange(12)
        if kind < 3 or (kind > 6 and depth <= 0):
            type = self._random.choice(TYPES)
            value = self.expression(type)
            return f"{type} {self._name(type)} = {value};"
        if kind < 5:
            type = self._random.choice(TYPES)
            targets = self._places(type)
            if targets:
                return f"{self._random.choice(targets)} = {self.expression(type)};"
        if kind == 5:
            return self._append()
        if kind == 6:
            return f"print({self.expression(self._random.choice(TYPES))}, {self.expression('string')});"
        return self._branch(depth - 1) if kind < 9 else self._loop(depth - 1)

    def _append(self) -> str:
        element = self._random.choice(["int", "string", "struct point", "struct item"])
        targets = self._places(f"vector<{element}>")
        if targets:
            target = self._random.choice(targets)
            return f"{target} :: {self.expression(self._random.choice([element, f'vector<{element}>']))};"
        targets = self._places("string")
        return f"{self._random.choice(targets)} += {self.expression('string')};" if targets else ";"

    def _branch(self, depth: int) -> str:
        kind = self._random.randrange(5)
        if kind == 0 and self._jumps:
            return f"if ({self.condition()}) {self._random.choice(self._jumps)};"
        if kind == 1:
            value = "" if self._result == "void" else f" {self.expression(self._result)}"
            return f"if ({self.condition()}) return{value};"
        if kind == 2:
            jumps = self._jumps
            self._jumps = ["break", "continue"] if "continue" in jumps else ["break"]
            cases = f'case "a": {self.block(depth)} case "b": {self.block(depth)} default: {self.block(depth)}'
            self._jumps = jumps
            return f"switch ({self.expression('string')}) {{ {cases} }}"
        otherwise = f" else {self.block(depth)}" if kind == 3 else ""
        return f"if ({self.condition()}) {self.block(depth)}{otherwise}"

    def _loop(self, depth: int) -> str:
        kind = self._random.randrange(7)
        self._count += 2
        name, other = f"x{self._count - 1}", f"x{self._count}"
        jumps = self._jumps
        self._jumps = ["break", "continue"]
        if kind == 0:
            text = f"while ({self.condition()}) {self.block(depth)}"
        elif kind == 1:
            text = f"for (int {name} in 0..{self.expression('int')}) {self.block(depth, (name, 'int'))}"
        elif kind == 2:
            value = self.expression("vector<int>")
            self._scopes.append([(name, "vector<int>")])
            step = self._random.choice([f"{name} = sort({name})", f"{name} :: 1"])
            text = f"for (vector<int> {name} = {value}; {self.condition()}; {step}) {self.block(depth)}"
            self._scopes.pop()
        elif kind == 3:
            whole = self._random.choice(list(MAPS.values()))
            key, value = whole.removeprefix("map<").removesuffix(">").split(", ")
            block = self.block(depth, (name, key), (other, value))
            text = f"for ({key} {name}, {value} {other} in {self.expression(whole)}) {block}"
        else:
            element, whole = self._random.choice(
                [
                    ("int", "vector<int>"),
                    ("string", "vector<string>"),
                    ("vector<int>", "vector<vector<int>>"),
                    ("struct point", "vector<struct point>"),
                    ("struct item", "vector<struct item>"),
                    ("string", "map<string, struct item>"),
                ]
            )
            text = f"for ({element} {name} in {self.expression(whole)}) {self.block(depth, (name, element))}"
        self._jumps = jumps
        return text

    def function(self, name: str) -> str:
        self._result = self._random.choice(TYPES)
        parameters = [(f"p{i}", self._random.choice(TYPES)) for i in range(3)]
        marks = [self._random.choice(["", "", "&"]) for _ in parameters]
        self._scopes.append(list(parameters))
        statements = " ".join(self.statement(3) for _ in range(self._random.randint(2, 7)))
        back = f"return {self.expression(self._result)};"
        self._scopes.pop()
        head = ", ".join(f"{type}{mark} {p}" for (p, type), mark in zip(parameters, marks, strict=True))
        return f"{self._result} {name}({head}) {{ {statements} {back} }}"

    def master(self) -> str:
        self._result = "void"
        self._scopes.append([])
        statements = " ".join(self.statement(3) for _ in range(self._random.randint(3, 8)))
        self._scopes.pop()
        return f"master {{ {statements} }}"


def make_program(choice: random.Random) -> str:
    maker = _Maker(choice)
    functions = "\n".join(maker.function(f"f{i}") for i in range(2))
    return f"{HEAD}{functions}\n{maker.master()}\n"
