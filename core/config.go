package pgqrs

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// Config says where a store keeps its queues, and how it behaves. Make one with
// NewConfig, which fills in the defaults; Connect does so from options.
type Config struct {
	// DSN is postgresql://… (or libpq's key=value form) or memory://name.
	DSN string
	// Schema holds the tables; created when missing. Default "public".
	Schema string
	// MaxConnections bounds the pool, 1 … 1000. One more listens. Default 16.
	MaxConnections int
	// AutoInstall lets connect install or upgrade the schema. Default true.
	AutoInstall bool
	// AutoCreateQueues makes a queue on first use. Default true.
	AutoCreateQueues bool
	// ConnectTimeout bounds connecting and the wait for a free connection,
	// 0.1 s … 1 h. Default 30 s.
	ConnectTimeout time.Duration
	// AnswerTimeout is how long one operation waits for the server's answer, 1 s …
	// 1 day; then it is cancelled, and the connection given up where even that has no
	// answer. Default 60 s.
	AnswerTimeout time.Duration
	// DefaultLockTime is the vt of a dequeue that names none, from a queue that has
	// none of its own, 0.1 s … 7 days. Default 5 s.
	DefaultLockTime time.Duration
	// DefaultMaxBatchSize is the limit of a dequeue that names none, 1 … 10000.
	// Default 100.
	DefaultMaxBatchSize int
	// MaxReadCount: what was delivered that often and not settled becomes dead,
	// 1 … 1000000; 0: never; a queue may have a number of its own. Default 5.
	MaxReadCount int
	// MaxLease is how long at most a running handler's message is kept alive,
	// 1 s … 30 days. Default 1 h.
	MaxLease time.Duration
	// HeartbeatInterval is how often a store tells that its workers are alive,
	// 0.1 s … 1 h. No lease depends on it. Default 5 s.
	HeartbeatInterval time.Duration
	// MaxPayloadSize refuses longer payloads, in bytes; 0: no limit of ours.
	MaxPayloadSize int64
	// MaxPendingBytes bounds what produce calls hold in memory that is not stored yet,
	// 64 KiB … 1 TiB, each message counted with 1 KiB beside its payload. Then further
	// calls wait for room. Default 256 MiB.
	MaxPendingBytes int64
	// ProduceTimeout is how long a produce waits for room, up to 1 day; then it is
	// ErrTimeout, and nothing was stored. 0, the default: until there is room.
	ProduceTimeout time.Duration
	// Logger gets what happens in the background. Default: slog.Default().
	Logger *slog.Logger
	// OnPanic is called when a goroutine of the library panics; the store is
	// unusable afterwards. nil: the panic goes on and ends the process, as
	// usual in Go. Bindings that must not end their host set it.
	OnPanic func(value any, stack []byte)
}

// Bounds of a visibility timeout and of a delay.
const (
	MinVT    = 100 * time.Millisecond
	MaxVT    = 7 * 24 * time.Hour
	MaxDelay = 10 * 365 * 24 * time.Hour
	// MaxBatchSize bounds the limit of one dequeue.
	MaxBatchSize = 10000
	maxReadCount = 1_000_000
)

// NewConfig returns the defaults for that DSN.
func NewConfig(dsn string) *Config {
	return &Config{
		DSN: dsn, Schema: "public", MaxConnections: 16, AutoInstall: true, AutoCreateQueues: true,
		ConnectTimeout: 30 * time.Second, AnswerTimeout: 60 * time.Second, DefaultLockTime: 5 * time.Second, DefaultMaxBatchSize: 100,
		MaxReadCount: 5, MaxLease: time.Hour, MaxPendingBytes: 256 << 20,
		HeartbeatInterval: 5 * time.Second,
	}
}

// Option changes one thing of a Config.
type Option func(*Config)

// WithSchema sets Config.Schema.
func WithSchema(name string) Option { return func(c *Config) { c.Schema = name } }

// WithMaxConnections sets Config.MaxConnections.
func WithMaxConnections(n int) Option { return func(c *Config) { c.MaxConnections = n } }

// WithoutAutoInstall makes connect fail where the schema is missing or old.
func WithoutAutoInstall() Option { return func(c *Config) { c.AutoInstall = false } }

// WithoutAutoCreateQueues makes a missing queue ErrQueueNotFound.
func WithoutAutoCreateQueues() Option { return func(c *Config) { c.AutoCreateQueues = false } }

// WithConnectTimeout sets Config.ConnectTimeout.
func WithConnectTimeout(d time.Duration) Option { return func(c *Config) { c.ConnectTimeout = d } }

// WithAnswerTimeout sets Config.AnswerTimeout.
func WithAnswerTimeout(d time.Duration) Option { return func(c *Config) { c.AnswerTimeout = d } }

// WithDefaultLockTime sets Config.DefaultLockTime.
func WithDefaultLockTime(d time.Duration) Option { return func(c *Config) { c.DefaultLockTime = d } }

// WithDefaultMaxBatchSize sets Config.DefaultMaxBatchSize.
func WithDefaultMaxBatchSize(n int) Option { return func(c *Config) { c.DefaultMaxBatchSize = n } }

// WithMaxReadCount sets Config.MaxReadCount.
func WithMaxReadCount(n int) Option { return func(c *Config) { c.MaxReadCount = n } }

// WithMaxLease sets Config.MaxLease.
func WithMaxLease(d time.Duration) Option { return func(c *Config) { c.MaxLease = d } }

// WithMaxPendingBytes sets Config.MaxPendingBytes.
func WithMaxPendingBytes(n int64) Option { return func(c *Config) { c.MaxPendingBytes = n } }

// WithProduceTimeout sets Config.ProduceTimeout.
func WithProduceTimeout(d time.Duration) Option { return func(c *Config) { c.ProduceTimeout = d } }

// WithHeartbeatInterval sets Config.HeartbeatInterval.
func WithHeartbeatInterval(d time.Duration) Option {
	return func(c *Config) { c.HeartbeatInterval = d }
}

// WithLogger sets Config.Logger.
func WithLogger(l *slog.Logger) Option { return func(c *Config) { c.Logger = l } }

// configText is the JSON form of a Config; seconds are numbers.
type configText struct {
	DSN                 *string  `json:"dsn"`
	Schema              *string  `json:"schema"`
	MaxConnections      *int     `json:"max_connections"`
	AutoInstall         *bool    `json:"auto_install"`
	AutoCreateQueues    *bool    `json:"auto_create_queues"`
	ConnectTimeout      *float64 `json:"connection_timeout_seconds"`
	AnswerTimeout       *float64 `json:"answer_timeout_seconds"`
	DefaultLockTime     *float64 `json:"default_lock_time_seconds"`
	DefaultMaxBatchSize *int     `json:"default_max_batch_size"`
	MaxReadCount        *int     `json:"max_read_ct"`
	MaxLease            *float64 `json:"max_lease_seconds"`
	HeartbeatInterval   *float64 `json:"heartbeat_interval_seconds"`
	MaxPayloadSize      *int64   `json:"max_payload_size_bytes"`
	MaxPendingBytes     *int64   `json:"max_pending_bytes"`
	ProduceTimeout      *float64 `json:"produce_timeout_seconds"`
}

// ParseConfig reads a Config from a JSON object whose keys are the option names
// of the Python API (dsn, schema, max_connections, auto_install,
// auto_create_queues, connection_timeout_seconds, answer_timeout_seconds, default_lock_time_seconds,
// default_max_batch_size, max_read_ct, max_lease_seconds,
// heartbeat_interval_seconds, max_payload_size_bytes, max_pending_bytes,
// produce_timeout_seconds). What is missing has its default; an unknown key is
// ErrConfig.
func ParseConfig(text []byte) (*Config, error) {
	var t configText
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&t)
	if err == nil && d.More() {
		err = errors.New("something follows the JSON object")
	}
	if err != nil {
		return nil, backend.Errorf(ErrConfig, "the configuration is not valid: %v", err)
	}
	if t.DSN == nil {
		return nil, backend.Errorf(ErrConfig, `the configuration has no "dsn"`)
	}
	c := NewConfig(*t.DSN)
	set(&c.Schema, t.Schema)
	set(&c.MaxConnections, t.MaxConnections)
	set(&c.AutoInstall, t.AutoInstall)
	set(&c.AutoCreateQueues, t.AutoCreateQueues)
	setSeconds(&c.ConnectTimeout, t.ConnectTimeout)
	setSeconds(&c.AnswerTimeout, t.AnswerTimeout)
	setSeconds(&c.DefaultLockTime, t.DefaultLockTime)
	set(&c.DefaultMaxBatchSize, t.DefaultMaxBatchSize)
	set(&c.MaxReadCount, t.MaxReadCount)
	setSeconds(&c.MaxLease, t.MaxLease)
	setSeconds(&c.HeartbeatInterval, t.HeartbeatInterval)
	set(&c.MaxPayloadSize, t.MaxPayloadSize)
	set(&c.MaxPendingBytes, t.MaxPendingBytes)
	setSeconds(&c.ProduceTimeout, t.ProduceTimeout)
	return c, nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func setSeconds(to *time.Duration, from *float64) {
	if from != nil {
		// Out of range stays out of range instead of wrapping around.
		*to = time.Duration(math.Max(-1e18, math.Min(1e18, *from*1e9)))
	}
}

// validate checks every option against its range and names the first that is
// out of it.
func (c *Config) validate() error {
	fail := func(format string, args ...any) error { return backend.Errorf(ErrConfig, format, args...) }
	switch {
	case c.DSN == "":
		return fail("the DSN is empty: give postgresql://…, or set PGQRS_DSN")
	case c.Schema == "" || len(c.Schema) > 63:
		return fail("schema must have 1 to 63 bytes")
	case c.MaxConnections < 1 || c.MaxConnections > 1000:
		return fail("max_connections must be between 1 and 1000, not %d", c.MaxConnections)
	case c.ConnectTimeout < 100*time.Millisecond || c.ConnectTimeout > time.Hour:
		return fail("connection_timeout_seconds must be between 0.1 and 3600, not %g", c.ConnectTimeout.Seconds())
	case c.AnswerTimeout < time.Second || c.AnswerTimeout > 24*time.Hour:
		return fail("answer_timeout_seconds must be between 1 and 86400, not %g", c.AnswerTimeout.Seconds())
	case c.DefaultLockTime < MinVT || c.DefaultLockTime > MaxVT:
		return fail("default_lock_time_seconds must be between 0.1 and 604800, not %g", c.DefaultLockTime.Seconds())
	case c.DefaultMaxBatchSize < 1 || c.DefaultMaxBatchSize > MaxBatchSize:
		return fail("default_max_batch_size must be between 1 and %d, not %d", MaxBatchSize, c.DefaultMaxBatchSize)
	case c.MaxReadCount < 0 || c.MaxReadCount > maxReadCount:
		return fail("max_read_ct must be between 0 (no limit) and %d, not %d", maxReadCount, c.MaxReadCount)
	case c.MaxLease < time.Second || c.MaxLease > 30*24*time.Hour:
		return fail("max_lease_seconds must be between 1 and 2592000, not %g", c.MaxLease.Seconds())
	case c.HeartbeatInterval < 100*time.Millisecond || c.HeartbeatInterval > time.Hour:
		return fail("heartbeat_interval_seconds must be between 0.1 and 3600, not %g", c.HeartbeatInterval.Seconds())
	case c.MaxPayloadSize < 0:
		return fail("max_payload_size_bytes must not be negative")
	case c.MaxPendingBytes < 64<<10 || c.MaxPendingBytes > 1<<40:
		return fail("max_pending_bytes must be between 65536 and 1099511627776, not %d", c.MaxPendingBytes)
	case c.ProduceTimeout < 0 || c.ProduceTimeout > 24*time.Hour:
		return fail("produce_timeout_seconds must be between 0 (no limit) and 86400, not %g", c.ProduceTimeout.Seconds())
	}
	return nil
}
