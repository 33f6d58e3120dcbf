// Command gopage prints the documentation of a Go package as Markdown, for the
// reference of the documentation site. go/doc and go/doc/comment of the standard
// library do the work.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/format"
	"go/parser"
	"go/token"
	"log"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	p, err := load(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	p.print()
}

// page is the documentation of one package, being written.
type page struct {
	files *token.FileSet
	pkg   *doc.Package
	out   bytes.Buffer
}

// load reads the package in a folder, without its tests.
func load(folder string) (*page, error) {
	p := &page{files: token.NewFileSet()}
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(p.files, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	p.pkg, err = doc.NewFromFiles(p.files, files, "github.com/pgqrs/pgqrs/"+folder)
	return p, err
}

// print writes the page to standard output.
func (p *page) print() {
	fmt.Fprintf(&p.out, "# Go\n\n```go\nimport %s %q\n```\n\n", p.pkg.Name, p.pkg.ImportPath)
	p.text(p.pkg.Doc)
	p.out.WriteString("## Functions\n\n")
	p.functions("###", p.pkg.Funcs)
	p.out.WriteString("## Types\n\n")
	for _, t := range p.pkg.Types {
		p.head("###", "type "+t.Name)
		p.declaration(t.Decl)
		p.text(t.Doc)
		p.values(t.Consts)
		p.values(t.Vars)
		p.functions("####", t.Funcs)
		p.functions("####", t.Methods)
	}
	p.out.WriteString("## Constants and errors\n\n")
	p.values(p.pkg.Consts)
	p.values(p.pkg.Vars)
	os.Stdout.Write(p.out.Bytes())
}

func (p *page) head(level, name string) {
	fmt.Fprintf(&p.out, "%s %s\n\n", level, name)
}

func (p *page) functions(level string, functions []*doc.Func) {
	for _, f := range functions {
		name := f.Name
		if f.Recv != "" {
			name = strings.TrimPrefix(f.Recv, "*") + "." + name
		}
		p.head(level, "func "+name)
		f.Decl.Body = nil
		p.declaration(f.Decl)
		p.text(f.Doc)
	}
}

func (p *page) values(values []*doc.Value) {
	for _, v := range values {
		p.declaration(v.Decl)
		p.text(v.Doc)
	}
}

// declaration writes code as gofmt has it, without the comment above it.
func (p *page) declaration(node ast.Decl) {
	switch d := node.(type) {
	case *ast.GenDecl:
		d.Doc = nil
	case *ast.FuncDecl:
		d.Doc = nil
	}
	p.out.WriteString("```go\n")
	if err := format.Node(&p.out, p.files, node); err != nil {
		log.Fatal(err)
	}
	p.out.WriteString("\n```\n\n")
}

// text writes a comment. Its headings become bold, and its links to other names
// plain text: the page has headings of its own.
func (p *page) text(text string) {
	printer := p.pkg.Printer()
	printer.HeadingLevel = 5
	printer.HeadingID = func(*comment.Heading) string { return "" }
	printer.DocLinkURL = func(*comment.DocLink) string { return "" }
	p.out.Write(printer.Markdown(p.pkg.Parser().Parse(text)))
	p.out.WriteString("\n")
}
