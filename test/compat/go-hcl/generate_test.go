package hcl

import (
	"fmt"
	"math/rand"
	"strings"
)

// generator writes programs from a seed. It keeps to no types: half of what it writes is wrong somewhere, and the place of
// the mistake is compared as well.
type generator struct{ *rand.Rand }

func (g generator) pick(options []string) string { return options[g.Intn(len(options))] }

var atoms = []string{
	"1", "0", "2.5", "-3", "1e20", "0.1", "1.50", "12345678901234567890", "1e-7", `"a"`, `"10"`, `"true"`, `""`, `"é b"`, `"\u00e9\n"`, `"$${x}"`,
	`"2020-01-02T03:04:05Z"`, `"10.1.2.0/24"`, `"a,b"`, `"{\"k\": [1, null]}"`, "true", "false", "null", "[]", "{}", "[1, 2]", `["b", "a", ""]`, `{a = 1, b = "x"}`,
	"local.a", "local.l", "local.m", "local.s", "local.n", "local.o", "local.m.k", "local.l[0]",
	"convert(null, string)", "convert([1,2], set(number))", "convert({a=1}, map(string))", "convert([], list(string))",
}

var names = []string{"a", "b", "k", "x"}

var unary = []string{
	"abs", "ceil", "chomp", "compact", "distinct", "flatten", "floor", "jsonencode", "keys", "length", "lower", "upper", "reverse", "signum", "sort",
	"strlen", "title", "trimspace", "values", "jsondecode", "concat", "merge", "max", "min", "setunion", "coalesce", "range", "can", "try", "formatlist",
	"coalescelist", "csvdecode", "base64encode", "base64decode", "md5", "sha1", "sha256", "sha512", "urlencode", "cidrnetmask", "yamlencode", "yamldecode", "format", "missing",
}

var binary = []string{
	"chunklist", "concat", "contains", "element", "format", "formatlist", "index", "join", "lookup", "merge", "parseint", "pow", "setintersection",
	"setproduct", "setunion", "split", "trim", "trimprefix", "trimsuffix", "zipmap", "coalesce", "range", "try", "coalescelist", "max", "min", "log", "indent",
	"cidrhost", "timeadd", "formatdate", "uuidv5",
}

var ternary = []string{"slice", "substr", "replace", "regex_replace", "cidrsubnet", "lookup", "range", "setproduct", "coalesce", "concat"}

var types = []string{
	"string", "number", "bool", "any", "list(any)", "list(string)", "set(any)", "set(string)", "map(any)", "map(string)", "tuple([string])",
	"object({a=string})", "object({a=optional(string)})", "list(object({a=any}))", "nope", "list()",
}

var directives = []string{`"%s"`, `"%d"`, `"%v"`, `"%q"`, `"%5.2f"`, `"%-5s|"`, `"%05d"`, `"%x"`, `"%#v"`, `"%%"`, `"%t"`, `"%[2]s %[1]s"`, `"%e"`, `"%b"`, `"%3.1q"`, `"%z"`, `"%g"`, `"%G"`, `"%F"`, `"%+d"`, `"% d"`, `"%o"`, `"%X"`, `"%30v|"`, `"%-30v|"`, `"%030v"`, `"%.3v"`, `"%+.2f"`, `"%08.3f"`, `"%+q"`}

func (g generator) list(depth, limit int) string {
	parts := make([]string, g.Intn(limit+1))
	for i := range parts {
		parts[i] = g.expression(depth)
	}
	return strings.Join(parts, ", ")
}

func (g generator) expression(depth int) string {
	if depth <= 0 {
		if g.Intn(60) == 0 {
			return g.pick([]string{"local.u", "local.d", "local.zzz", "nope"})
		}
		return g.pick(atoms)
	}
	d := depth - 1
	if g.Intn(2) == 0 {
		return g.fitting(d)
	}
	switch g.Intn(22) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", g.expression(d), g.pick([]string{"+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||"}), g.expression(d))
	case 2:
		return fmt.Sprintf("%s %s %s %s %s", g.expression(d), g.pick([]string{"+", "*", "==", "&&", "-"}), g.expression(d), g.pick([]string{"-", "/", "!=", "||", ">"}), g.expression(d))
	case 3, 4:
		return fmt.Sprintf("(%s ? %s : %s)", g.expression(d), g.expression(d), g.expression(d))
	case 5:
		return "[" + g.list(d, 3) + g.pick([]string{"", "", ",\n"}) + "]"
	case 6:
		return g.object(d)
	case 7:
		return g.forList(d)
	case 8:
		return g.forObject(d)
	case 9:
		return fmt.Sprintf("%s[%s]", g.expression(d), g.pick([]string{"0", "1", `"a"`, "*", "-1", "1.5", g.expression(d)}))
	case 10:
		return g.expression(d) + g.pick([]string{".a", ".k", ".*", "[*].a", ".0", ".*.a", "[*]", ".a.b", "[*][0]"})
	case 11, 12:
		return g.template(d)
	case 13:
		return g.heredoc(d)
	case 14:
		return g.pick([]string{"-", "!", "- ", "!!"}) + g.expression(d)
	case 15:
		return fmt.Sprintf("convert(%s, %s)", g.expression(d), g.pick(types))
	case 16:
		return fmt.Sprintf("format(%s, %s)", g.pick(directives), g.list(d, 2))
	case 17:
		return fmt.Sprintf("%s(%s...)", g.pick(append(unary, binary...)), g.expression(d))
	case 18:
		return fmt.Sprintf("%s(%s, %s, %s)", g.pick(ternary), g.expression(d), g.expression(d), g.expression(d))
	case 19:
		return fmt.Sprintf("%s(%s, %s)", g.pick(binary), g.expression(d), g.expression(d))
	default:
		return fmt.Sprintf("%s(%s)", g.pick(unary), g.expression(d))
	}
}

func (g generator) object(d int) string {
	parts := make([]string, g.Intn(4))
	for i := range parts {
		key := g.pick([]string{"a", "b", `"c"`, `"${local.a}"`, "(" + g.expression(d-1) + ")", "1"})
		parts[i] = key + g.pick([]string{" = ", " : ", "="}) + g.expression(d)
	}
	return "{" + strings.Join(parts, g.pick([]string{", ", "\n", ",\n"})) + "}"
}

func (g generator) forList(d int) string {
	condition := ""
	if g.Intn(3) == 0 {
		condition = " if " + g.expression(d)
	}
	return fmt.Sprintf("[for %s in %s : %s%s]", g.pick([]string{"x", "k, x", "x, k"}), g.expression(d), g.pick([]string{"x", "k", g.expression(d)}), condition)
}

func (g generator) forObject(d int) string {
	return fmt.Sprintf("{for %s in %s : %s => %s%s%s}", g.pick([]string{"k, x", "x"}), g.expression(d), g.pick([]string{"k", "x", `"${k}"`}),
		g.pick([]string{"x", "k", g.expression(d)}), g.pick([]string{"", "..."}), g.pick([]string{"", "", " if " + g.expression(d)}))
}

func (g generator) templateBody(d int, newlines bool) string {
	space := []string{"", "x", " ", " y ", "$$", "%%{"}
	if newlines {
		space = append(space, "\n", "  \n  ", "\n\n    z")
	}
	left, right := g.pick([]string{"", "", "~"}), g.pick([]string{"", "", "~"})
	inner := strings.ReplaceAll(g.expression(d), "\n", " ")
	if strings.Contains(inner, "<<") {
		inner = "1"
	}
	switch g.Intn(5) {
	case 0:
		return g.pick(space) + "%{" + left + " if " + inner + " " + right + "}" + g.pick(space) + "%{ else }" + g.pick(space) + "%{ endif " + right + "}" + g.pick(space)
	case 1:
		return g.pick(space) + "%{" + left + " for " + g.pick([]string{"x", "k, x"}) + " in " + inner + " " + right + "}" + g.pick(space) + "${" + g.pick([]string{"x", "1", "k"}) + "}%{ endfor }"
	default:
		return g.pick(space) + "${" + left + inner + right + "}" + g.pick(space)
	}
}

func (g generator) template(d int) string {
	body := g.templateBody(d, false)
	if g.Intn(2) == 0 {
		body += g.templateBody(d, false)
	}
	return `"` + body + `"`
}

func (g generator) heredoc(d int) string {
	indent := g.pick([]string{"", "  ", "\t"})
	lines := make([]string, g.Intn(3))
	for i := range lines {
		lines[i] = indent + g.pick([]string{"", " ", "a"}) + g.templateBody(d, true) + "\n"
	}
	return "<<" + g.pick([]string{"", "-"}) + "EOT\n" + strings.Join(lines, "") + indent + "EOT\n"
}

var pieces = []string{
	"{", "}", "[", "]", "(", ")", `"`, "${", "%{", "~}", "<<E\n", "\nE\n", "\n", " ", ",", "=", ":", "::", "...", "=>", "?", "#", "//", "/*", "*/", ".", "*",
	"[*]", "for", "in", "if", "else", "endif", "endfor", "x", "1", "1.5", `\`, "$", "%", "é", "\r\n", "\r", "-", "!", "&&", "@", ";", "'", "`", "|", "\u0301", "\t", "\x00", "\ufeff",
}

// damage changes a text in a few places.
func (g generator) damage(text string) string {
	for range 1 + g.Intn(3) {
		at := g.Intn(len(text) + 1)
		switch g.Intn(4) {
		case 0:
			text = text[:at] + g.pick(pieces) + text[at:]
		case 1:
			text = text[:at] + text[min(len(text), at+1+g.Intn(4)):]
		case 2:
			text = text[:at] + g.pick(pieces) + text[min(len(text), at+1):]
		case 3:
			if g.Intn(3) == 0 {
				text = text[:at]
			}
		}
	}
	return strings.ToValidUTF8(text, "?")
}

// file writes a body of attributes and blocks.
func (g generator) file(depth int) string {
	var out strings.Builder
	for range 1 + g.Intn(4) {
		switch g.Intn(5) {
		case 0:
			fmt.Fprintf(&out, "%s %s{\n%s}\n", g.pick(names), g.pick([]string{"", `"l" `, "l ", `"l" m `}), g.fileBelow(depth))
		case 1:
			fmt.Fprintf(&out, "%s { %s = %s }\n", g.pick(names), g.pick(names), strings.ReplaceAll(g.expression(1), "\n", " "))
		case 2:
			out.WriteString(g.pick([]string{"# a\n", "// b\n", "/* c */\n", "\n", "/* d\n e */\n"}))
		default:
			expression := g.expression(2)
			fmt.Fprintf(&out, "%s%s= %s%s", g.pick(names), g.pick([]string{"", " ", "  "}), expression, g.pick([]string{"\n", "\n", " # e\n"}))
		}
	}
	return out.String()
}

func (g generator) fileBelow(depth int) string {
	if depth <= 0 {
		return ""
	}
	return g.file(depth - 1)
}

// fitting expressions have operands of the types that they need, mostly.
func (g generator) fitting(d int) string {
	switch g.Intn(5) {
	case 0:
		return g.text(d)
	case 1:
		return g.number(d)
	case 2:
		return g.truth(d)
	case 3:
		return g.items(d)
	default:
		return g.mapping(d)
	}
}

func (g generator) text(d int) string {
	if d < 0 {
		return g.pick([]string{`"a"`, `"a b,c"`, `"é👨‍👩‍👧"`, `""`, "1.50", "true", `"10.0.0.0/8"`, "local.l[1]", `"line\n  two\n"`})
	}
	switch g.Intn(8) {
	case 0:
		return fmt.Sprintf(`"${%s}-%%{ if %s }${%s}%%{ else }n%%{ endif }"`, g.text(d-1), g.truth(d-1), g.number(d-1))
	case 1:
		return fmt.Sprintf("join(%s, %s)", g.text(d-1), g.items(d-1))
	case 2:
		return fmt.Sprintf("substr(%s, %s, %s)", g.text(d-1), g.pick([]string{"0", "1", "-1", "-2"}), g.pick([]string{"-1", "0", "1", "2"}))
	case 3:
		return fmt.Sprintf("format(%s, %s, %s)", g.pick(directives), g.number(d-1), g.text(d-1))
	case 4:
		return fmt.Sprintf("(%s ? %s : %s)", g.truth(d-1), g.text(d-1), g.text(d-1))
	case 5:
		return fmt.Sprintf("%s(%s)", g.pick([]string{"jsonencode", "yamlencode"}), g.fitting(d-1))
	case 6:
		return fmt.Sprintf("replace(%s, %s, %s)", g.text(d-1), g.pick([]string{`"a"`, `""`, `"/a|b/"`, `"/(.)b/"`}), g.pick([]string{`"x"`, `"$1$1"`, `"${1}"`}))
	default:
		return fmt.Sprintf("%s(%s)", g.pick([]string{"upper", "title", "reverse", "trimspace", "chomp", "base64encode", "sha256", "md5", "urlencode"}), g.text(d-1))
	}
}

func (g generator) number(d int) string {
	if d < 0 {
		return g.pick([]string{"0", "1", "-7", "2.25", "1e3", "0.1", "98765432109876543210", "local.a", `"12"`, "local.m.k", "3.0"})
	}
	switch g.Intn(6) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", g.number(d-1), g.pick([]string{"+", "-", "*", "/", "%"}), g.number(d-1))
	case 2:
		return fmt.Sprintf("%s(%s, %s)", g.pick([]string{"max", "min", "pow", "log"}), g.number(d-1), g.number(d-1))
	case 3:
		return fmt.Sprintf("%s(%s)", g.pick([]string{"abs", "ceil", "floor", "signum"}), g.number(d-1))
	case 4:
		return fmt.Sprintf("length(%s)", g.items(d-1))
	default:
		return fmt.Sprintf("strlen(%s)", g.text(d-1))
	}
}

func (g generator) truth(d int) string {
	if d < 0 {
		return g.pick([]string{"true", "false", `"true"`})
	}
	switch g.Intn(5) {
	case 0:
		return fmt.Sprintf("(%s %s %s)", g.number(d-1), g.pick([]string{"<", "<=", ">", ">="}), g.number(d-1))
	case 1:
		return fmt.Sprintf("(%s %s %s)", g.fitting(d-1), g.pick([]string{"==", "!="}), g.fitting(d-1))
	case 2:
		return fmt.Sprintf("contains(%s, %s)", g.items(d-1), g.text(d-1))
	case 3:
		return fmt.Sprintf("(%s %s %s)", g.truth(d-1), g.pick([]string{"&&", "||"}), g.truth(d-1))
	default:
		return "!" + g.truth(d-1)
	}
}

func (g generator) items(d int) string {
	if d < 0 {
		return g.pick([]string{"local.l", "local.s", `["b", "a", ""]`, "[]", `["x", 1, true]`, "[null]", `convert(["q", "q"], set(string))`})
	}
	switch g.Intn(9) {
	case 0:
		return fmt.Sprintf("[%s, %s]", g.fitting(d-1), g.fitting(d-1))
	case 1:
		return fmt.Sprintf("[for i, x in %s : %s if %s]", g.items(d-1), g.pick([]string{"x", "i", `"${i}:x"`, g.text(d - 1)}), g.truth(d-1))
	case 2:
		return fmt.Sprintf("concat(%s, %s)", g.items(d-1), g.items(d-1))
	case 3:
		return fmt.Sprintf("%s(%s)", g.pick([]string{"flatten", "distinct", "sort", "compact", "setunion"}), g.items(d-1))
	case 4:
		return fmt.Sprintf("%s(%s)", g.pick([]string{"keys", "values"}), g.mapping(d-1))
	case 5:
		return fmt.Sprintf("%s[*]%s", g.pick([]string{"local.o", g.items(d - 1)}), g.pick([]string{".a", "", ".b"}))
	case 6:
		return fmt.Sprintf("%s(%s, %s)", g.pick([]string{"setproduct", "setintersection", "setunion"}), g.items(d-1), g.items(d-1))
	case 7:
		return fmt.Sprintf("split(%s, %s)", g.pick([]string{`","`, `""`, `" "`}), g.text(d-1))
	default:
		return fmt.Sprintf("(%s ? %s : %s)", g.truth(d-1), g.items(d-1), g.items(d-1))
	}
}

func (g generator) mapping(d int) string {
	if d < 0 {
		return g.pick([]string{"local.m", `{a = 1, b = "x"}`, "{}", "local.o[0]", `convert({k = 2}, map(string))`})
	}
	switch g.Intn(5) {
	case 0:
		return fmt.Sprintf("{a = %s, (%s) = %s}", g.fitting(d-1), g.text(d-1), g.fitting(d-1))
	case 1:
		return fmt.Sprintf("merge(%s, %s)", g.mapping(d-1), g.mapping(d-1))
	case 2:
		return fmt.Sprintf("{for k, v in %s : k => v...}", g.pick([]string{g.mapping(d - 1), g.items(d - 1)}))
	case 3:
		return fmt.Sprintf("zipmap(%s, %s)", g.items(d-1), g.items(d-1))
	default:
		return fmt.Sprintf("(%s ? %s : %s)", g.truth(d-1), g.mapping(d-1), g.mapping(d-1))
	}
}
