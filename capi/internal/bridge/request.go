package bridge

import (
	"bytes"
	"context"
	"math"
	"reflect"
	"time"

	pgqrs "github.com/pgqrs/pgqrs/core"
	"github.com/pgqrs/pgqrs/core/backend"
)

// MaxArguments bounds the arguments of one request.
const MaxArguments = 1 << 24

// requests is every request by its name; docs/abi.md lists them, and a test
// compares the two. Each noun has a file: request_NOUN.go.
var requests = map[string]request{
	"archive_count":      answered(archiveCount),
	"archive_delete":     answered(archiveDelete),
	"archive_get":        answered(archiveGet),
	"archive_list":       answered(archiveList),
	"archive_purge":      answered(archivePurge),
	"archive_replay":     answered(archiveReplay),
	"archive_replay_all": answered(archiveReplayAll),

	"footprint": answered(footprint),

	"message_delete":  answered(messageDelete),
	"message_fail":    answered(messageFail),
	"message_get":     answered(messageGet),
	"message_history": answered(messageHistory),
	"message_list":    answered(messageList),
	"message_release": answered(messageRelease),

	"metrics_get":    answered(metricsGet),
	"metrics_list":   answered(metricsList),
	"metrics_system": answered(metricsSystem),

	"queue_count":  answered(queueCount),
	"queue_create": answered(queueCreate),
	"queue_delete": answered(queueDelete),
	"queue_get":    answered(queueGet),
	"queue_list":   answered(queueList),
	"queue_pause":  answered(queuePause),
	"queue_purge":  answered(queuePurge),
	"queue_resume": answered(queueResume),
	"queue_update": answered(queueUpdate),

	"roles_grant": answered(rolesGrant),

	"schema_install":   answered(schemaInstall),
	"schema_sql":       answered(schemaSQL),
	"schema_uninstall": answered(schemaUninstall),
	"schema_verify":    answered(schemaVerify),

	"worker_beat":      answered(workerBeat),
	"worker_get":       oneWorker((*pgqrs.Store).GetWorker),
	"worker_health":    answered(workerHealth),
	"worker_interrupt": oneWorker((*pgqrs.Store).InterruptWorker),
	"worker_leases":    answered(workerLeases),
	"worker_list":      answered(workerList),
	"worker_purge":     answered(workerPurge),
	"worker_reclaim":   answered(workerReclaim),
	"worker_release":   answered(workerRelease),
	"worker_resume":    oneWorker((*pgqrs.Store).ResumeWorker),
	"worker_stop":      oneWorker((*pgqrs.Store).StopWorker),
	"worker_suspend":   oneWorker((*pgqrs.Store).SuspendWorker),
}

// request is what a name stands for: the records of its arguments and of its
// answer, and what carries it out.
type request struct {
	arguments, answer reflect.Type
	carry             func(ctx context.Context, s *pgqrs.Store, arguments []byte) (any, error)
}

// answered makes a request of a function. The fields of A are the arguments, by
// their json tags; those that are pointers may be left out.
func answered[A, R any](do func(ctx context.Context, s *pgqrs.Store, a *A) (R, error)) request {
	return request{
		arguments: reflect.TypeFor[A](),
		answer:    reflect.TypeFor[R](),
		carry: func(ctx context.Context, s *pgqrs.Store, text []byte) (any, error) {
			var a A
			if err := decodeArguments(text, &a); err != nil {
				return nil, err
			}
			return do(ctx, s, &a)
		},
	}
}

// Request carries out what is not hot: the request of that name, with a JSON
// object of arguments. It completes with JSON.
func (s *Store) Request(number uint64, name, arguments []byte) *Refusal {
	key, text := string(name), bytes.Clone(arguments)
	return s.perform(number, func(ctx context.Context) (Completion, error) {
		r, known := requests[key]
		if !known {
			return Completion{}, backend.Errorf(backend.ErrInvalid, "there is no request %q", key)
		}
		answer, err := r.carry(ctx, s.core.Administered(), text)
		if err != nil {
			return Completion{}, err
		}
		return s.library.encodeJSON(answer)
	})
}

// none is the answer of a request that has nothing to say: {}.
type none struct{}

// recordsOf makes the answer about a page of things.
func recordsOf[T, R any](page []T, record func(*T) *R) []*R {
	records := make([]*R, len(page))
	for i := range page {
		records[i] = record(&page[i])
	}
	return records
}

// micros is a moment as it crosses; null where it is zero.
func micros(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	us := t.UnixMicro()
	return &us
}

// lasting is a duration as it crosses, and period is one that has crossed. What no
// time.Duration can hold becomes the longest, which the core refuses.
func lasting(d *time.Duration) *int64 {
	if d == nil {
		return nil
	}
	us := d.Microseconds()
	return &us
}

func period(us *int64) *time.Duration {
	if us == nil {
		return nil
	}
	const most = math.MaxInt64 / 1000
	d := time.Duration(max(-most, min(*us, most))) * time.Microsecond
	return &d
}

// or is an optional argument, or what it is when it is left out.
func or[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}
