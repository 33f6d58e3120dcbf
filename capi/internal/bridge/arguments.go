package bridge

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/pgqrs/pgqrs/core/backend"
)

// decodeArguments reads a JSON object into the struct that `into` points to.
// encoding/json forgives much that would hide a mistake of the caller: here a key
// that is unknown, missing or null, and a value of another type, is an error that
// names it. No text at all is an object without keys.
func decodeArguments(text []byte, into any) error {
	if len(text) == 0 {
		text = []byte("{}")
	}
	if !utf8.Valid(text) { // encoding/json would put other characters there
		return invalid("the arguments are not valid UTF-8")
	}
	return decodeObject("", text, reflect.ValueOf(into).Elem())
}

// decodeObject reads an object into a struct. path leads to it, with a dot at its
// end; empty: it is the arguments themselves.
func decodeObject(path string, text []byte, into reflect.Value) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(text, &values); err != nil || values == nil {
		if path == "" {
			return invalid("the arguments must be a JSON object")
		}
		return wrongType(path[:len(path)-1], into.Type())
	}
	for i := range into.NumField() {
		key := into.Type().Field(i).Tag.Get("json")
		value, given := values[key]
		delete(values, key)
		if err := decodeField(path+key, value, given, into.Field(i)); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		return invalid("there is no argument %q", path+key)
	}
	return nil
}

func decodeField(path string, value json.RawMessage, given bool, into reflect.Value) error {
	if change, ok := into.Addr().Interface().(changing); ok {
		if given {
			return decodeValue(path, value, change.giveValue())
		}
		return nil
	}
	if !given && into.Kind() != reflect.Pointer {
		return invalid("the argument %q is missing", path)
	}
	if !given {
		return nil
	}
	return decodeValue(path, value, into)
}

// decodeValue reads one value. Null is a value of pointers alone: nil.
func decodeValue(path string, text json.RawMessage, into reflect.Value) error {
	isNull := string(text) == "null"
	switch {
	case into.Kind() == reflect.Pointer:
		if isNull {
			return nil
		}
		into.Set(reflect.New(into.Type().Elem()))
		return decodeValue(path, text, into.Elem())
	case isNull:
		return wrongType(path, into.Type())
	case into.Kind() == reflect.Struct:
		return decodeObject(path+".", text, into)
	case into.Kind() == reflect.Slice:
		return decodeList(path, text, into)
	}
	if json.Unmarshal(text, into.Addr().Interface()) != nil {
		return wrongType(path, into.Type())
	}
	return nil
}

func decodeList(path string, text json.RawMessage, into reflect.Value) error {
	var values []json.RawMessage
	if json.Unmarshal(text, &values) != nil {
		return wrongType(path, into.Type())
	}
	into.Set(reflect.MakeSlice(into.Type(), len(values), len(values)))
	for i, value := range values {
		if err := decodeValue(path, value, into.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// changing is an argument that knows three states: left out, null, and a value.
type changing interface{ giveValue() reflect.Value }

// change is an argument of an update. Left out, what it is about stays; null
// (Value nil) takes it back to its default.
type change[T any] struct {
	given bool
	value *T
}

func (c *change[T]) giveValue() reflect.Value {
	c.given = true
	return reflect.ValueOf(&c.value).Elem()
}

func wrongType(path string, t reflect.Type) error {
	return invalid("the argument %q must be %s", path, typeWords[wireType(t)])
}

// typeWords are the types of arguments in words.
var typeWords = map[string]string{
	"int": "an integer of 64 bits", "float": "a number", "bool": "true or false",
	"string": "a string", "list": "a list", "object": "an object",
}

func wireType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wireType(t.Elem())
	case reflect.Bool:
		return "bool"
	case reflect.String:
		return "string"
	case reflect.Float64:
		return "float"
	case reflect.Slice:
		return "list"
	case reflect.Struct:
		return "object"
	default:
		return "int"
	}
}

func invalid(format string, args ...any) error {
	return backend.Errorf(backend.ErrInvalid, format, args...)
}
