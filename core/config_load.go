package pgqrs

import (
	"encoding/json"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/pgqrs/pgqrs/core/backend"
)

// configVariable is how the environment variables of options begin: PGQRS_SCHEMA is
// the option schema. Lists are separated by commas.
const (
	configVariable     = "PGQRS_"
	configFileVariable = configVariable + "CONFIG_FILE"
)

// LoadConfig reads a Config from a TOML file and the environment, which wins. The keys
// of the file are the names of the options in the Python API (dsn, schema,
// max_connections, …), the variables are called after them (PGQRS_DSN, PGQRS_SCHEMA,
// …). file may be empty: that of PGQRS_CONFIG_FILE, or none.
func LoadConfig(file string) (*Config, error) {
	options := make(map[string]any)
	if file == "" {
		file = os.Getenv(configFileVariable)
	}
	if file != "" {
		if _, err := toml.DecodeFile(file, &options); err != nil {
			return nil, backend.Errorf(ErrConfig, "the configuration file %s cannot be read: %v", file, err)
		}
	}
	t := reflect.TypeFor[configText]()
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("json")
		variable := configVariable + strings.ToUpper(name)
		text, given := os.LookupEnv(variable)
		if !given {
			continue
		}
		value, err := fromVariable(text, t.Field(i).Type)
		if err != nil {
			return nil, backend.Errorf(ErrConfig, "the environment variable %s must be %s", variable, err)
		}
		options[name] = value
	}
	if options["dsn"] == nil {
		return nil, backend.Errorf(ErrConfig, "there is no DSN: set PGQRS_DSN, or dsn in the configuration file")
	}
	text, err := json.Marshal(options)
	if err != nil { // a date, or infinity
		return nil, backend.Errorf(ErrConfig, "the configuration file %s has a value that no option has: %v", file, err)
	}
	return ParseConfig(text)
}

// errVariable says what a variable must be.
type errVariable string

func (e errVariable) Error() string { return string(e) }

// fromVariable reads the text of a variable as a value of an option of that type.
func fromVariable(text string, t reflect.Type) (any, error) {
	if t.Kind() == reflect.Slice {
		return splitKeys(text), nil
	}
	switch t.Elem().Kind() {
	case reflect.Bool:
		switch strings.ToLower(text) {
		case "true", "yes", "on", "1":
			return true, nil
		case "false", "no", "off", "0":
			return false, nil
		}
		return nil, errVariable("true or false")
	case reflect.Int, reflect.Int64:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return nil, errVariable("an integer")
	case reflect.Float64:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			if _, err := json.Marshal(f); err == nil {
				return f, nil
			}
		}
		return nil, errVariable("a number")
	default:
		return text, nil
	}
}

// splitKeys splits at commas; spaces around them do not count, and nothing is no key.
func splitKeys(text string) []string {
	keys := []string{}
	for key := range strings.SplitSeq(text, ",") {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
