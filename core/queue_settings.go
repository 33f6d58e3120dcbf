package pgqrs

import (
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
)

// MaxRetention bounds how long a queue says that its done messages are kept.
const MaxRetention = 100 * 365 * 24 * time.Hour

// validateSettings names the first setting that is out of its range, and fills in the
// kind of a retry policy that has none.
func validateSettings(s *backend.QueueSettings) error {
	switch {
	case s.DefaultVT != 0 && (s.DefaultVT < MinVT || s.DefaultVT > MaxVT):
		return errInvalid("default_vt must be between 0.1 s and 7 days, not %v", s.DefaultVT)
	case s.MaxReadCount != nil && (*s.MaxReadCount < 0 || *s.MaxReadCount > maxReadCount):
		return errInvalid("max_read_ct must be between 0 (no limit) and %d, not %d", maxReadCount, *s.MaxReadCount)
	case s.Retention != nil && (*s.Retention < 0 || *s.Retention > MaxRetention):
		return errInvalid("retention must be between 0 and 100 years, not %v", *s.Retention)
	}
	return validateRetry(&s.Retry)
}

func validateRetry(r *backend.RetryPolicy) error {
	if r.Kind == "" {
		r.Kind = backend.RetryNone
	}
	switch {
	case !(r.Jitter >= 0 && r.Jitter <= 1): // NaN too
		return errInvalid("the jitter of a retry policy must be between 0 and 1, not %v", r.Jitter)
	case r.Kind == backend.RetryNone:
		if *r != (backend.RetryPolicy{Kind: backend.RetryNone}) {
			return errInvalid("a retry policy of the kind none has neither base nor max nor jitter")
		}
	case r.Base < 0 || r.Base > MaxDelay:
		return errInvalid("the base of a retry policy must be between 0 and 10 years, not %v", r.Base)
	case r.Kind == backend.RetryFixed:
		if r.Max != 0 {
			return errInvalid("a retry policy of the kind fixed has no max")
		}
	case r.Kind == backend.RetryExponential:
		if r.Max < r.Base || r.Max > MaxDelay {
			return errInvalid("the max of a retry policy must be between its base and 10 years, not %v", r.Max)
		}
	default:
		return errInvalid("the kind of a retry policy must be none, fixed or exponential, not %q", r.Kind)
	}
	return nil
}
