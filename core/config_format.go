package pgqrs

import (
	"fmt"
	"log/slog"

	"github.com/pgqrs/pgqrs/core/internal/secret"
)

// Format prints the options as fmt does, whatever the verb, but of the DSN only what
// holds no password. (%w and %p, which are mistakes, fmt asks nobody about.)
func (c Config) Format(f fmt.State, verb rune) {
	type plain Config // the same without this method
	shown := plain(c)
	shown.DSN = secret.DSN(c.DSN)
	fmt.Fprintf(f, fmt.FormatString(f, verb), shown)
}

// String is what Format prints for %+v.
func (c Config) String() string { return fmt.Sprintf("%+v", c) }

// GoString is what Format prints for %#v.
func (c Config) GoString() string { return fmt.Sprintf("%#v", c) }

// LogValue is what loggers are given.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }
