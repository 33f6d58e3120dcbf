package pgqrs_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
)

func TestNoPasswordIsPrintedWithAConfig(t *testing.T) {
	for _, dsn := range []string{
		"postgresql://user:sesame@host/db?password=sesame", "postgres://user:ses%61me@host", "host=h password='sesame'",
		"postgresq://sesame", "sesame://host", "postgresql:/user:sesame@host",
	} {
		c := pgqrs.NewConfig(dsn)
		of := postgres.Config{DSN: dsn, Schema: "public"}
		nested := struct {
			C  pgqrs.Config
			P  *pgqrs.Config
			Of []postgres.Config
		}{*c, c, []postgres.Config{of}}
		var printed []string
		for _, thing := range []any{c, *c, of, &of, nested, &nested, []any{c}, map[string]any{"c": *c}} {
			for _, verb := range "vTtbcoOqxXUeEfFgGsd!" {
				for _, flags := range []string{"", "+", "#", "-", " ", "0", "40.3", "#+"} {
					printed = append(printed, fmt.Sprintf("%"+flags+string(verb), thing))
				}
			}
			printed = append(printed, fmt.Sprint(thing), fmt.Sprintln(thing))
		}
		printed = append(printed, c.String(), c.GoString(), fmt.Sprintf("%p", c))
		var log bytes.Buffer
		for _, l := range []*slog.Logger{slog.New(slog.NewTextHandler(&log, nil)), slog.New(slog.NewJSONHandler(&log, nil))} {
			l.Info("x", "config", c, "value", *c)
		}
		printed = append(printed, log.String())
		for _, text := range printed {
			for _, secret := range []string{"sesame", fmt.Sprintf("%x", "sesame"), fmt.Sprintf("%X", "sesame"), "ses%61me"} {
				if strings.Contains(text, secret) {
					t.Fatalf("%q is printed as %s", dsn, text)
				}
			}
		}
	}
	if got := fmt.Sprintf("%+v", pgqrs.NewConfig("postgresql://host")); !strings.Contains(got, "DSN:postgresql://… Schema:public") {
		t.Error(got)
	}
	if got := fmt.Sprint(pgqrs.NewConfig("memory://name")); !strings.Contains(got, "memory://name") {
		t.Error(got)
	}
}
