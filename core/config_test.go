package pgqrs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
)

// wholeConfig has another value than the default for each option.
const wholeConfig = `{"dsn": "memory://", "schema": "s", "max_connections": 3, "auto_install": false,
	"auto_create_queues": false, "connection_timeout_seconds": 1.5, "answer_timeout_seconds": 9, "default_lock_time_seconds": 0.1, "default_max_batch_size": 7,
	"max_read_ct": 0, "max_lease_seconds": 60, "heartbeat_interval_seconds": 2, "max_payload_size_bytes": 100,
	"max_pending_bytes": 70000, "produce_timeout_seconds": 3, "max_prefetch_bytes": 80000,
	"max_string_length": 10, "max_object_depth": 4, "forbidden_keys": ["a", "b"], "required_keys": ["c"],
	"max_enqueue_per_second": 0.5, "max_enqueue_burst": 9, "rate_limit_waits": false}`

var wantWhole = pgqrs.Config{
	DSN: "memory://", Schema: "s", MaxConnections: 3, ConnectTimeout: 1500 * time.Millisecond, AnswerTimeout: 9 * time.Second,
	MaxPendingBytes: 70000, ProduceTimeout: 3 * time.Second, MaxPrefetchBytes: 80000,
	DefaultLockTime: 100 * time.Millisecond, DefaultMaxBatchSize: 7, MaxLease: time.Minute, HeartbeatInterval: 2 * time.Second,
	MaxPayloadSize: 100, MaxStringLength: 10, MaxObjectDepth: 4, ForbiddenKeys: []string{"a", "b"}, RequiredKeys: []string{"c"},
	MaxEnqueuePerSecond: 0.5, MaxEnqueueBurst: 9,
}

func TestConfigurationsAreRead(t *testing.T) {
	c, err := pgqrs.ParseConfig([]byte(wholeConfig))
	if err != nil || !reflect.DeepEqual(*c, wantWhole) {
		t.Errorf("%+v %v", c, err)
	}
	if c, err = pgqrs.ParseConfig([]byte(`{"dsn": "memory://"}`)); err != nil || !reflect.DeepEqual(c, pgqrs.NewConfig("memory://")) {
		t.Errorf("%+v %v", c, err)
	}
	for _, text := range []string{
		``, `[]`, `{}`, `{"dsn": 1}`, `{"dsn": "memory://", "dns": 1}`, `{"dsn": ""}`, `{"dsn": "memory://"} and more`,
	} {
		if err := tryConfig(t, text); !errors.Is(err, pgqrs.ErrConfig) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// tryConfig connects with a configuration.
func tryConfig(t *testing.T, text string) error {
	t.Helper()
	c, err := pgqrs.ParseConfig([]byte(text))
	if err != nil {
		return err
	}
	s, err := pgqrs.ConnectConfig(t.Context(), c)
	if err == nil {
		closeStore(t, s)
	}
	return err
}

// The table of limits is one for Go and Python: python/tests/unit/test_config.py.
func TestEachOptionHasItsLimits(t *testing.T) {
	text, err := os.ReadFile("testdata/config.json")
	must(t, err)
	var table map[string]struct{ Good, Bad []json.RawMessage }
	must(t, json.Unmarshal(text, &table))
	var whole map[string]any
	must(t, json.Unmarshal([]byte(wholeConfig), &whole))
	if len(table) != len(whole)-1 {
		t.Errorf("the table has %d options, there are %d and the DSN", len(table), len(whole)-1)
	}
	for name, values := range table {
		option := func(value json.RawMessage) string { return fmt.Sprintf(`{"dsn": "memory://", %q: %s}`, name, value) }
		for _, value := range values.Good {
			if err := tryConfig(t, option(value)); err != nil {
				t.Errorf("%s: %v", option(value), err)
			}
		}
		for _, value := range values.Bad {
			if err := tryConfig(t, option(value)); !errors.Is(err, pgqrs.ErrConfig) || !strings.Contains(err.Error(), name) {
				t.Errorf("%.100s: %v", option(value), err)
			}
		}
	}
}

func TestTheEnvironmentIsReadBeforeTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pgqrs.toml")
	must(t, os.WriteFile(file, []byte(`dsn = "memory://file"
schema = "of_the_file"
max_connections = 3
forbidden_keys = ["x"]
`), 0o600))
	t.Setenv("PGQRS_DSN", "memory://environment")
	t.Setenv("PGQRS_SCHEMA", "of_the_environment")
	t.Setenv("PGQRS_AUTO_INSTALL", "off")
	t.Setenv("PGQRS_HEARTBEAT_INTERVAL_SECONDS", "0.5")
	t.Setenv("PGQRS_MAX_PAYLOAD_SIZE_BYTES", "1000")
	t.Setenv("PGQRS_REQUIRED_KEYS", "a, b,")
	want := pgqrs.NewConfig("memory://environment")
	want.Schema, want.MaxConnections, want.AutoInstall = "of_the_environment", 3, false
	want.HeartbeatInterval, want.MaxPayloadSize = 500*time.Millisecond, 1000
	want.ForbiddenKeys, want.RequiredKeys = []string{"x"}, []string{"a", "b"}
	for _, named := range []bool{true, false} {
		given := file
		if !named {
			given = ""
			t.Setenv("PGQRS_CONFIG_FILE", file)
		}
		if c, err := pgqrs.LoadConfig(given); err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("%+v %v", c, err)
		}
	}
}

func TestWhatIsWrongWithTheEnvironmentIsNamed(t *testing.T) {
	load := func(want string) {
		t.Helper()
		if _, err := pgqrs.LoadConfig(""); !errors.Is(err, pgqrs.ErrConfig) || !strings.Contains(err.Error(), want) {
			t.Error(err)
		}
	}
	t.Setenv("PGQRS_DSN", "")
	must(t, os.Unsetenv("PGQRS_DSN"))
	load("PGQRS_DSN")
	for _, c := range [][2]string{
		{"PGQRS_AUTO_INSTALL", "maybe"}, {"PGQRS_MAX_READ_CT", "many"}, {"PGQRS_MAX_LEASE_SECONDS", "inf"},
	} {
		t.Run(c[0], func(t *testing.T) {
			t.Setenv(c[0], c[1])
			load(c[0])
		})
	}
	for _, text := range []string{"dsn =", "dns = 'memory://'", "dsn = 'memory://'\nmax_lease_seconds = inf", "dsn = 'memory://'\nmax_lease_seconds = [1]"} {
		file := filepath.Join(t.TempDir(), "pgqrs.toml")
		must(t, os.WriteFile(file, []byte(text), 0o600))
		t.Setenv("PGQRS_CONFIG_FILE", file)
		load("config")
	}
	t.Setenv("PGQRS_CONFIG_FILE", "/nowhere/pgqrs.toml")
	load("/nowhere/pgqrs.toml")
}
