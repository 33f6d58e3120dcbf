package pgqrs

import (
	"log/slog"
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
	// MaxPendingBytes bounds what produce calls hold in memory that is not stored yet,
	// 64 KiB … 1 TiB, each message counted with 1 KiB beside its payload. Then further
	// calls wait for room. Default 256 MiB.
	MaxPendingBytes int64
	// ProduceTimeout is how long a produce waits for room, up to 1 day; then it is
	// ErrTimeout, and nothing was stored. 0, the default: until there is room.
	ProduceTimeout time.Duration
	// MaxPrefetchBytes bounds the payloads that one stream (a consume loop) has fetched
	// and not handed on, 64 KiB … 1 TiB; one message is always fetched. Default 64 MiB.
	MaxPrefetchBytes int64
	// What payloads may be; all is off by default. MaxPayloadSize and MaxStringLength
	// (of strings and keys) are in bytes of UTF-8; MaxObjectDepth counts objects and
	// arrays in each other; 0 is no limit of ours. ForbiddenKeys may occur in no object,
	// however deep; RequiredKeys have to be in a payload that is an object.
	MaxPayloadSize  int64
	MaxStringLength int
	MaxObjectDepth  int
	ForbiddenKeys   []string
	RequiredKeys    []string
	// MaxEnqueuePerSecond is how many messages this store produces into one queue in a
	// second, over time; 0, the default: as many as there are. MaxEnqueueBurst is how
	// many at once after a pause; default 50. A call that has more waits until there is
	// room; with RateLimitWaits false it is ErrRateLimited, which says how long.
	MaxEnqueuePerSecond float64
	MaxEnqueueBurst     int
	RateLimitWaits      bool
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
	// Bounds of the options that limit memory.
	minMemory = 64 << 10
	maxMemory = 1 << 40
	// Bounds of the options that limit payloads and rates.
	maxLimitedLength = 1 << 30
	maxLimitingKeys  = 1000
	maxRate          = 1e6
	minRate          = 1e-3
	maxBurst         = 1_000_000
)

// NewConfig returns the defaults for that DSN.
func NewConfig(dsn string) *Config {
	return &Config{
		DSN: dsn, Schema: "public", MaxConnections: 16, AutoInstall: true, AutoCreateQueues: true,
		ConnectTimeout: 30 * time.Second, AnswerTimeout: 60 * time.Second, DefaultLockTime: 5 * time.Second, DefaultMaxBatchSize: 100,
		MaxReadCount: 5, MaxLease: time.Hour, HeartbeatInterval: 5 * time.Second, MaxPendingBytes: 256 << 20, MaxPrefetchBytes: 64 << 20,
		MaxEnqueueBurst: 50, RateLimitWaits: true,
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

// WithMaxPrefetchBytes sets Config.MaxPrefetchBytes.
func WithMaxPrefetchBytes(n int64) Option { return func(c *Config) { c.MaxPrefetchBytes = n } }

// WithProduceTimeout sets Config.ProduceTimeout.
func WithProduceTimeout(d time.Duration) Option { return func(c *Config) { c.ProduceTimeout = d } }

// WithHeartbeatInterval sets Config.HeartbeatInterval.
func WithHeartbeatInterval(d time.Duration) Option {
	return func(c *Config) { c.HeartbeatInterval = d }
}

// WithLogger sets Config.Logger.
func WithLogger(l *slog.Logger) Option { return func(c *Config) { c.Logger = l } }

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
	}
	return c.validateLimits()
}

// validateLimits checks the options that limit payloads and rates.
func (c *Config) validateLimits() error {
	fail := func(format string, args ...any) error { return backend.Errorf(ErrConfig, format, args...) }
	for name, keys := range map[string][]string{"forbidden_keys": c.ForbiddenKeys, "required_keys": c.RequiredKeys} {
		if len(keys) > maxLimitingKeys {
			return fail("%s must be at most %d keys, not %d", name, maxLimitingKeys, len(keys))
		}
	}
	switch {
	case c.MaxPayloadSize < 0:
		return fail("max_payload_size_bytes must not be negative")
	case c.MaxPrefetchBytes < minMemory || c.MaxPrefetchBytes > maxMemory:
		return fail("max_prefetch_bytes must be between %d and %d, not %d", minMemory, maxMemory, c.MaxPrefetchBytes)
	case c.MaxPendingBytes < minMemory || c.MaxPendingBytes > maxMemory:
		return fail("max_pending_bytes must be between %d and %d, not %d", minMemory, maxMemory, c.MaxPendingBytes)
	case c.ProduceTimeout < 0 || c.ProduceTimeout > 24*time.Hour:
		return fail("produce_timeout_seconds must be between 0 (no limit) and 86400, not %g", c.ProduceTimeout.Seconds())
	case c.MaxStringLength < 0 || c.MaxStringLength > maxLimitedLength:
		return fail("max_string_length must be between 0 (no limit) and %d, not %d", maxLimitedLength, c.MaxStringLength)
	case c.MaxObjectDepth < 0 || c.MaxObjectDepth > maxDepth:
		return fail("max_object_depth must be between 0 (no limit) and %d, not %d", maxDepth, c.MaxObjectDepth)
	case c.MaxEnqueuePerSecond != 0 && !(c.MaxEnqueuePerSecond >= minRate && c.MaxEnqueuePerSecond <= maxRate):
		return fail("max_enqueue_per_second must be 0 (no limit), or between %g and %.0f, not %g", minRate, maxRate, c.MaxEnqueuePerSecond)
	case c.MaxEnqueueBurst < 1 || c.MaxEnqueueBurst > maxBurst:
		return fail("max_enqueue_burst must be between 1 and %d, not %d", maxBurst, c.MaxEnqueueBurst)
	}
	return nil
}
