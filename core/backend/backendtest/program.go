package backendtest

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// program is a sequence of operations for the model test: random, found by the
// fuzzer, or kept in testdata/model because it was interesting once. Arguments
// are numbers that choose from small tables or from what the program received so
// far, so that every sequence, and every part of one, means something.
type program []step

// step is one operation, as the fuzzer sees it: four bytes.
type step struct{ verb, a, b, c byte }

// verbs are the operations. A verb stands as often as it is to be likely.
var verbs = []string{
	"produce", "produce", "produce",
	"keyed", "keyed",
	"dequeue", "dequeue", "dequeue", "dequeue", "dequeue",
	"archive", "archive", "archive",
	"again",
	"delete",
	"release", "release",
	"giveback", "giveback", "giveback",
	"grow", "keep",
	"pass", "pass", "pass", "pass",
	"look",
	"purge",
	"fail", "fail",
	"replay",
	"seize",
}

func (s step) name() string { return verbs[int(s.verb)%len(verbs)] }

// String is the step as a line of a file in testdata/model.
func (s step) String() string { return fmt.Sprintf("%s %d %d %d", s.name(), s.a, s.b, s.c) }

// String is the program as such a file.
func (p program) String() string {
	var b strings.Builder
	for _, s := range p {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}

// randomProgram has steps operations. Purges are rare in it, so that queues grow.
func randomProgram(seed uint64, steps int) program {
	r := rand.New(rand.NewPCG(seed, 0))
	p := make(program, steps)
	for i := range p {
		p[i] = step{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
		if p[i].name() == "purge" && r.IntN(4) > 0 {
			p[i].verb = 0
		}
	}
	return p
}

// programOf reads the bytes of the fuzzer; a rest of less than four is ignored.
func programOf(data []byte) program {
	var p program
	for s := range slices.Chunk(data, 4) {
		if len(s) == 4 {
			p = append(p, step{s[0], s[1], s[2], s[3]})
		}
	}
	return p
}

// bytes is the inverse of programOf.
func (p program) bytes() []byte {
	var data []byte
	for _, s := range p {
		data = append(data, s.verb, s.a, s.b, s.c)
	}
	return data
}

// parseProgram reads a file of testdata/model: one step a line; a line that
// begins with # is a comment.
func parseProgram(text string) (program, error) {
	var p program
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		var name string
		var s step
		if _, err := fmt.Sscanf(line, "%s %d %d %d", &name, &s.a, &s.b, &s.c); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		verb := slices.Index(verbs, name)
		if verb < 0 {
			return nil, fmt.Errorf("%q: no such verb", line)
		}
		s.verb = byte(verb)
		p = append(p, s)
	}
	return p, nil
}

//go:embed testdata/model/*.txt
var kept embed.FS

// keptPrograms are those in testdata/model, by the names of their files.
func keptPrograms() (map[string]program, error) {
	const folder = "testdata/model"
	entries, err := kept.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	programs := make(map[string]program)
	for _, e := range entries {
		text, err := kept.ReadFile(path.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		p, err := parseProgram(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		programs[strings.TrimSuffix(e.Name(), ".txt")] = p
	}
	return programs, nil
}
