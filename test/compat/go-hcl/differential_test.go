// Package hcl compares this repository's HCL with HashiCorp's library, on programs generated from a seed: values, types, places of
// problems, layout. The other side runs in Node (evaluate.mjs) on what `npm run build` made.
//
//	DROVER_SEED=1 DROVER_EXPRESSIONS=100000 go test ./...
package hcl

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

type program struct {
	Mode string `json:"mode"` // expression, template, file, format
	Text string `json:"text"`
}

// outcome is what a side makes of a program. Panic: it did not come to an end by itself.
type outcome struct {
	Problems []string `json:"problems"`
	Type     string   `json:"type,omitempty"`
	Value    string   `json:"value,omitempty"`
	Panic    string   `json:"panic,omitempty"`
	Details  []string `json:"details,omitempty"` // for people
}

// explanation of differences that are wanted: all of those whose program matches.
type explanation struct {
	ID      string `json:"id"`
	Reason  string `json:"reason"`
	Mode    string `json:"mode"`
	Program string `json:"program"`          // regular expression over the text
	Theirs  string `json:"theirs,omitempty"` // regular expressions over the outcomes in JSON
	Ours    string `json:"ours,omitempty"`
	Numbers bool   `json:"numbers,omitempty"` // the outcomes are the same but for the digits of numbers
}

func problemsOf(diags hcl.Diagnostics) ([]string, []string) {
	places, details := []string{}, []string{}
	for _, item := range diags {
		if item.Subject == nil {
			places = append(places, "-")
			continue
		}
		s, e := item.Subject.Start, item.Subject.End
		places = append(places, fmt.Sprintf("%d,%d,%d-%d,%d,%d", s.Line, s.Column, s.Byte, e.Line, e.Column, e.Byte))
		details = append(details, item.Summary+"; "+item.Detail)
	}
	sort.Strings(places)
	return places, details
}

func typeText(t cty.Type) string {
	switch {
	case t == cty.DynamicPseudoType:
		return "dynamic"
	case t.IsPrimitiveType():
		return t.FriendlyName()
	case t.IsListType():
		return "list(" + typeText(t.ElementType()) + ")"
	case t.IsSetType():
		return "set(" + typeText(t.ElementType()) + ")"
	case t.IsMapType():
		return "map(" + typeText(t.ElementType()) + ")"
	case t.IsTupleType():
		parts := []string{}
		for _, item := range t.TupleElementTypes() {
			parts = append(parts, typeText(item))
		}
		return "tuple([" + strings.Join(parts, ",") + "])"
	case t.IsObjectType():
		names, parts := []string{}, []string{}
		for name := range t.AttributeTypes() {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			var key strings.Builder
			encoder := json.NewEncoder(&key)
			encoder.SetEscapeHTML(false)
			encoder.Encode(name)
			parts = append(parts, strings.TrimSuffix(key.String(), "\n")+":"+typeText(t.AttributeType(name)))
		}
		return "object({" + strings.Join(parts, ",") + "})"
	}
	return t.GoString()
}

func reference(p program) (result outcome) {
	defer func() {
		if reason := recover(); reason != nil {
			result = outcome{Panic: fmt.Sprint(reason)}
		}
	}()
	source, start := []byte(p.Text), hcl.InitialPos
	switch p.Mode {
	case "file":
		_, diags := hclsyntax.ParseConfig(source, "f", start)
		result.Problems, result.Details = problemsOf(diags)
		return result
	case "format":
		result.Value = string(hclwrite.Format(source))
		return result
	}
	parse := hclsyntax.ParseExpression
	if p.Mode == "template" {
		parse = hclsyntax.ParseTemplate
	}
	expr, diags := parse(source, "f", start)
	if !diags.HasErrors() {
		var value cty.Value
		value, diags = expr.Value(scope)
		if !diags.HasErrors() {
			value, _ = value.UnmarkDeep()
			result.Type = typeText(value.Type())
			result.Value = "unknown"
			if value.IsWhollyKnown() {
				text, err := ctyjson.Marshal(value, value.Type())
				if err != nil {
					text = []byte("no JSON")
				}
				result.Value = string(text)
			}
		}
	}
	result.Problems, result.Details = problemsOf(diags)
	if strings.Contains(strings.Join(result.Details, ""), "panic in function implementation") {
		return outcome{Panic: "in a function"}
	}
	return result
}

// ours asks the Node side for all programs at once.
func ours(t *testing.T, programs []program) []outcome {
	t.Helper()
	node := exec.Command("node", "--stack-size=4000", "evaluate.mjs")
	node.Stderr = os.Stderr
	input, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Skip("no Node here: ", err)
	}
	go func() {
		writer := bufio.NewWriter(input)
		for _, p := range programs {
			line, _ := json.Marshal(p)
			writer.Write(append(line, '\n'))
		}
		writer.Flush()
		input.Close()
	}()
	outcomes := make([]outcome, 0, len(programs))
	reader := json.NewDecoder(bufio.NewReader(output))
	for {
		var one outcome
		if err := reader.Decode(&one); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, one)
	}
	if err := node.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(outcomes) != len(programs) {
		t.Fatalf("%d answers to %d programs", len(outcomes), len(programs))
	}
	return outcomes
}

func number(name string, otherwise int) int {
	if value, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return value
	}
	return otherwise
}

// amount of programs of a test: a sample, or with DROVER_LONG=1 the whole run.
func amount(sample, long int) int {
	if os.Getenv("DROVER_LONG") == "1" {
		sample = long
	}
	return number("DROVER_EXPRESSIONS", sample)
}

func explanations(t *testing.T) []explanation {
	t.Helper()
	text, err := os.ReadFile("explained.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []explanation
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func same(a, b outcome) bool {
	sort.Strings(b.Problems)
	return a.Type == b.Type && a.Value == b.Value && strings.Join(a.Problems, " ") == strings.Join(b.Problems, " ")
}

var digits = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?`)

func explain(list []explanation, p program, theirs, ours outcome) string {
	left, _ := json.Marshal(theirs)
	right, _ := json.Marshal(ours)
	for _, item := range list {
		if !regexp.MustCompile("^(" + item.Mode + ")$").MatchString(p.Mode) {
			continue
		}
		if item.Numbers && (digits.ReplaceAllString(theirs.Type, "#") != digits.ReplaceAllString(ours.Type, "#") || digits.ReplaceAllString(theirs.Value, "#") != digits.ReplaceAllString(ours.Value, "#")) {
			continue
		}
		if regexp.MustCompile(item.Program).MatchString(p.Text) && regexp.MustCompile(item.Theirs).Match(left) && regexp.MustCompile(item.Ours).Match(right) {
			return item.ID
		}
	}
	return ""
}

// settled asks the library again: where its answer depends on the order of a Go map, ours has to be one of its answers.
func settled(p program, ours outcome) bool {
	for range 20 {
		if same(reference(p), ours) {
			return true
		}
	}
	return false
}

func compare(t *testing.T, programs []program) {
	t.Helper()
	list := explanations(t)
	found := ours(t, programs)
	explained, panics, unstable, differing, bad := map[string]int{}, 0, 0, 0, 0
	for i, p := range programs {
		theirs := reference(p)
		if theirs.Panic != "" {
			panics++ // the library gave up; ours had to answer, and did
			if found[i].Panic != "" {
				t.Errorf("both ended in an exception: %q", p.Text)
			}
			continue
		}
		if len(theirs.Problems) > 0 {
			bad++
		}
		if same(theirs, found[i]) {
			continue
		}
		if settled(p, found[i]) {
			unstable++
			continue
		}
		if id := explain(list, p, theirs, found[i]); id != "" {
			explained[id]++
			continue
		}
		if differing++; differing <= number("DROVER_SHOW", 10) {
			left, _ := json.Marshal(theirs)
			right, _ := json.Marshal(found[i])
			t.Errorf("%s %q\n  theirs %s\n  ours   %s", p.Mode, p.Text, left, right)
		}
	}
	t.Logf("%d programs (%d with problems): %d differ, %d differ as explained %v; the library panicked at %d and was of two minds about %d", len(programs), bad, differing, sum(explained), explained, panics, unstable)
}

func sum(counts map[string]int) int {
	total := 0
	for _, count := range counts {
		total += count
	}
	return total
}

func seeded(t *testing.T) generator {
	t.Helper()
	// A fixed seed: what a change breaks shows, what another seed would find does not fail somebody else's change.
	seed := int64(number("DROVER_SEED", 78))
	t.Logf("DROVER_SEED=%d", seed)
	return generator{rand.New(rand.NewSource(seed))}
}

// batches keeps memory flat in long runs.
func batches(t *testing.T, total int, make func() program) {
	t.Helper()
	const size = 20_000
	for done := 0; done < total; done += size {
		programs := []program{}
		for range min(size, total-done) {
			programs = append(programs, make())
		}
		compare(t, programs)
	}
}

func TestExpressionsHaveTheSameValueTypeAndProblems(t *testing.T) {
	g := seeded(t)
	batches(t, amount(5_000, 200_000), func() program { return program{"expression", g.expression(1 + g.Intn(3))} })
}

func TestTemplatesHaveTheSameValueTypeAndProblems(t *testing.T) {
	g := seeded(t)
	batches(t, amount(1_000, 40_000), func() program { return program{"template", g.templateBody(1+g.Intn(2), true)} })
}

func TestDamagedExpressionsHaveTheSameProblems(t *testing.T) {
	g := seeded(t)
	batches(t, amount(2_000, 60_000), func() program { return program{"expression", g.damage(g.expression(1 + g.Intn(2)))} })
}

func TestFilesHaveTheSameProblems(t *testing.T) {
	g := seeded(t)
	batches(t, amount(2_000, 60_000), func() program {
		if text := g.file(2); g.Intn(3) > 0 {
			return program{"file", g.damage(text)}
		} else {
			return program{"file", text}
		}
	})
}

func TestFilesAreLaidOutAlike(t *testing.T) {
	g := seeded(t)
	batches(t, amount(1_000, 30_000), func() program { return program{"format", g.file(2)} })
}

// TestRealFilesAreReadAndLaidOutAlike takes the examples, and the recorded job files where they are.
func TestRealFilesAreReadAndLaidOutAlike(t *testing.T) {
	goldens := os.Getenv("DROVER_GOLDENS")
	if goldens == "" {
		goldens = "../../../../shared/goldens"
	}
	programs := []program{}
	for _, folder := range []string{"../../../examples", goldens + "/jobs", goldens + "/jobs-invalid"} {
		paths, _ := filepath.Glob(folder + "/*.hcl")
		if len(paths) == 0 {
			t.Logf("skipped, not there: %s", folder)
		}
		for _, path := range paths {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := string(source)
			if !utf8.ValidString(text) { // cannot be handed over as JSON
				continue
			}
			programs = append(programs, program{"file", text})
			if _, diags := hclsyntax.ParseConfig(source, "f", hcl.InitialPos); !diags.HasErrors() {
				programs = append(programs, program{"format", text})
			}
		}
	}
	compare(t, programs)
}
