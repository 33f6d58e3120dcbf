package pgqrs

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

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
	MaxPrefetchBytes    *int64   `json:"max_prefetch_bytes"`
	MaxStringLength     *int     `json:"max_string_length"`
	MaxObjectDepth      *int     `json:"max_object_depth"`
	ForbiddenKeys       []string `json:"forbidden_keys"`
	RequiredKeys        []string `json:"required_keys"`
	MaxEnqueuePerSecond *float64 `json:"max_enqueue_per_second"`
	MaxEnqueueBurst     *int     `json:"max_enqueue_burst"`
	RateLimitWaits      *bool    `json:"rate_limit_waits"`
}

// ParseConfig reads a Config from a JSON object whose keys are the names of the
// options in the Python API, as configText has them. What is missing has its default;
// an unknown key is ErrConfig.
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
	set(&c.MaxPrefetchBytes, t.MaxPrefetchBytes)
	set(&c.MaxStringLength, t.MaxStringLength)
	set(&c.MaxObjectDepth, t.MaxObjectDepth)
	c.ForbiddenKeys, c.RequiredKeys = t.ForbiddenKeys, t.RequiredKeys
	set(&c.MaxEnqueuePerSecond, t.MaxEnqueuePerSecond)
	set(&c.MaxEnqueueBurst, t.MaxEnqueueBurst)
	set(&c.RateLimitWaits, t.RateLimitWaits)
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
