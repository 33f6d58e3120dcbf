// Package sqlfile reads SQL text from files for a schema whose name is known
// only at run time. Objects are written {schema}.name; bodies of functions stand
// between $body$, and strings that hold a schema between $name$. The files are
// embedded in the program; backends call it once, when they open.
package sqlfile

import (
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"strings"
	"unicode"
)

// Quote makes an identifier of a name, whatever characters it has.
func Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Render puts the schema's name into text.
func Render(text, schema string) string {
	quoted := Quote(schema)
	// A name may hold the very marks that quote the text around it: then the
	// marks get longer.
	longer := ""
	for strings.Contains(quoted, "$body"+longer+"$") || strings.Contains(quoted, "$name"+longer+"$") {
		longer += "_"
	}
	return strings.NewReplacer("{schema}", quoted,
		"$body$", "$body"+longer+"$", "$name$", "$name"+longer+"$").Replace(text)
}

// Fill sets each field of the struct that queries points to, all strings, to the
// query of its name: field QueueGet gets what stands behind the line
// "-- name: queue_get" in a file dir/*.sql, up to the next such line. Comments at
// the begin of a line are left out, so that the server does not see them. A field
// without a query and a query without a field are errors.
func Fill(queries any, files fs.FS, dir, schema string) error {
	texts, err := read(files, dir)
	if err != nil {
		return err
	}
	fields := reflect.ValueOf(queries).Elem()
	for i := range fields.NumField() {
		name := snake(fields.Type().Field(i).Name)
		text, ok := texts[name]
		if !ok {
			return fmt.Errorf("sqlfile: no query is named %s", name)
		}
		fields.Field(i).SetString(Render(text, schema))
		delete(texts, name)
	}
	for name := range texts {
		return fmt.Errorf("sqlfile: nothing uses the query %s", name)
	}
	return nil
}

// read returns the queries of a folder by name.
func read(files fs.FS, dir string) (map[string]string, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string)
	for _, entry := range entries {
		text, err := fs.ReadFile(files, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		name := ""
		for line := range strings.Lines(string(text)) {
			next, isName := strings.CutPrefix(line, "-- name: ")
			switch {
			case isName:
				if name = strings.TrimSpace(next); texts[name] != "" {
					return nil, fmt.Errorf("sqlfile: two queries are named %s", name)
				}
			case strings.HasPrefix(line, "--"):
			case name == "" && strings.TrimSpace(line) != "":
				return nil, fmt.Errorf("sqlfile: %s has text before the first name", entry.Name())
			default:
				texts[name] += line
			}
		}
	}
	delete(texts, "")
	for name, text := range texts {
		texts[name] = strings.TrimSuffix(strings.TrimSpace(text), ";")
	}
	return texts, nil
}

// snake makes queue_get of QueueGet.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
