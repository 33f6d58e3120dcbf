// The low watermark: where the walks of a process begin (core/backend/postgres/
// watermark.go), beside commits of old transactions, another process, and messages
// that this process gives back. What a walk does with the rows is in spans.pml; here
// it is one step, which leases the first ready message that it looks at.

//: watermark  CALLS=3
//: watermark  CALLS=3 NO_FULL_WALK ! empty_means_empty
//: watermark  CALLS=3 NO_INTERVAL ! late_commit_is_found
//: watermark  CALLS=3 NOT_LOWERED ! returned_is_seen
//: watermark  CALLS=3 LOWERED_BEFORE ! returned_is_seen
//: watermark  CALLS=3 NO_TOKEN ! returned_is_seen
//: watermark  CALLS=3 RAISED_BLINDLY ! returned_is_seen

#include "invariants.h"

#define MESSAGES 3
#define WALKERS 2 // goroutines of one process, which have one watermark
#define TICKS 2
#define INTERVAL 1
#ifndef CALLS
#define CALLS 3
#endif
#define bit(i) (1 << (i))
#define has(set, i) (((set) >> (i)) & 1)

// A message's number is its vt, and 0 is before all of them.
byte ready;               // those that a walk can see
byte ready_since[MESSAGES];
byte returned;            // by this process, which was answered; not leased again since
byte watched[WALKERS];    // ready ones that nobody has leased since the call of a walker began
byte now, calls;

byte low = MESSAGES;      // the watermark; MESSAGES: not known
byte until;
byte lowered;
byte took;                // how long the full walk that it is from took

inline lower() {
  low = MESSAGES;
#ifndef NO_TOKEN
  lowered++
#endif
}

#ifdef RAISED_BLINDLY
#define may_be_raised true
#else
#define may_be_raised (token == lowered && got > low)
#endif

inline raise() {
  if
  :: may_be_raised -> low = got
  :: else
  fi
}

// The first ready message that is not below a vt; MESSAGES: there is none.
inline look_from(from, i) {
  got = MESSAGES;
  for (i : from .. MESSAGES - 1) { got = (got == MESSAGES && has(ready, i) -> i : got) }
  if
  :: got < MESSAGES ->
     for (i : 0 .. MESSAGES - 1) {
       must(late_commit_is_found, i >= got || !has(ready, i) ||
            began < ready_since[i] + INTERVAL + slack);
       must(returned_is_seen, i >= got || !has(ready, i) || !has(due, i))
     }
     ready = ready & ~bit(got); returned = returned & ~bit(got);
     for (i : 0 .. WALKERS - 1) { watched[i] = watched[i] & ~bit(got) }
  :: else
  fi;
  i = 0
}

inline put_back(which) {
  ready = ready | bit(which); ready_since[which] = now
}

#ifdef NO_FULL_WALK
#define full_walk_is_due (got == MESSAGES && from == MESSAGES)
#else
#define full_walk_is_due (got == MESSAGES)
#endif

proctype walker(byte me) {
  byte from, slack, token, began, got, due, i;
end:
  do
  :: atomic {
       calls < CALLS -> calls++;
       watched[me] = ready; due = returned; began = now;
       from = low; slack = took; got = MESSAGES;
#ifndef NO_INTERVAL
       from = (now < until -> from : MESSAGES)
#endif
     }
     if
     :: atomic { from < MESSAGES -> token = lowered; d_step { look_from(from, i) } }
     :: else
     fi;
     if
     :: atomic { from < MESSAGES && got < MESSAGES -> d_step { raise() } } // by as much as can be
     :: else
     fi;
     if
     :: full_walk_is_due ->
        token = lowered; from = now;
        atomic { d_step { look_from(0, i); from = now } }
        atomic {
          d_step {
            if
            :: token == lowered && got < MESSAGES ->
               low = got; until = now + INTERVAL; took = now - from
            :: else
            fi;
            from = 0; token = 0
          }
        }
     :: else
     fi;
     if
     :: atomic { got == MESSAGES -> must(empty_means_empty, watched[me] == 0) }
     :: got < MESSAGES // it is worked on
     :: got < MESSAGES -> // it is given back undelivered, to its place
        due = bit(got);
#ifdef LOWERED_BEFORE
        atomic { lower() }
#endif
        atomic { put_back(got) }
        atomic { // and the caller has its answer
#if !defined(NOT_LOWERED) && !defined(LOWERED_BEFORE)
          lower();
#endif
          returned = returned | (ready & due)
        }
     fi;
     d_step { watched[me] = 0; from = 0; slack = 0; began = 0; got = 0; due = 0 }
  od
}

// Another process leases one and gives it back.
proctype other() {
  byte which, i;
end:
  atomic {
    if
    :: has(ready, 0) -> which = 0
    :: has(ready, 1) -> which = 1
    fi;
    d_step {
      ready = ready & ~bit(which); returned = returned & ~bit(which);
      for (i : 0 .. WALKERS - 1) { watched[i] = watched[i] & ~bit(which) }
    }
  }
  atomic { put_back(which) }
}

// A transaction that began before all others commits.
proctype late() {
  atomic { put_back(0) }
}

proctype clock() {
end:
  do
  :: now < TICKS -> now++
  od
}

init {
  atomic {
    ready = bit(MESSAGES) - 2;
    run clock(); run late(); run other();
    byte w;
    for (w : 0 .. WALKERS - 1) { run walker(w) }
  }
}
