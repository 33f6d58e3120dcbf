// The completion ring: capi/internal/bridge/ring.go and wake_*.go. Operations are
// submitted, and complete from goroutines; one thread of the program drains. What the code
// does under the ring's lock is several steps here, with the lock.

//: descriptor PLACES=2 OPERATIONS=4
//: descriptor PLACES=2 OPERATIONS=4 SET_OUTSIDE_LOCK ! readable_while_waiting
//: descriptor PLACES=2 OPERATIONS=4 RESET_OUTSIDE_LOCK ! readable_while_waiting
//: descriptor PLACES=2 OPERATIONS=4 RESET_WITH_REST ! readable_while_waiting
//: descriptor PLACES=2 OPERATIONS=4 FREE_AT_PUSH ! ring_has_room
//: descriptor PLACES=2 OPERATIONS=4 PUSHED_TWICE ! completes_once
//: descriptor PLACES=2 OPERATIONS=4 CLOSE_DOES_NOT_WAIT ! close_is_last
//: wait       PLACES=2 OPERATIONS=4 BY_WAIT
//: wait       PLACES=2 OPERATIONS=4 BY_WAIT CHANNEL_OUTSIDE_LOCK ! circle

#include "invariants.h"

byte lock;      // who has it; 0: nobody
byte places;    // reserved ones
byte count;     // completions that wait
byte slot[PLACES + 2];
bool readable;  // the descriptor
bool filled;    // the channel that Wait has made and nobody has closed
byte running;   // operations
bool closing;   // no operation is accepted any more
byte taken[OPERATIONS + 2];
byte accepted;  // of operations, a set
bool closed;    // the completion of close was taken

#define CLOSE (OPERATIONS + 1)

#define acquire(who) atomic { lock == 0 -> lock = who }
// Whoever may look, sees a descriptor that tells the truth.
#define release() atomic { must(readable_while_waiting, readable == (count > 0)); lock = 0 }

inline push(op) {
  acquire(op);
  atomic {
    must(ring_has_room, count < PLACES + 1);
    slot[count] = op; count++
  }
#ifdef FREE_AT_PUSH
  places--;
#endif
#ifdef SET_OUTSIDE_LOCK
  release();
  readable = true;
#else
  if
  :: count == 1 ->
     readable = true; filled = false
  :: else
  fi;
  release()
#endif
}

// An operation: it is accepted when a place can be reserved, and completes when it will.
proctype operation(byte op) {
  if
  :: atomic { lock == 0 && places < PLACES && !closing -> places++; running++; accepted = accepted | (1 << op) }
     push(op);
#ifdef PUSHED_TWICE
     push(op);
#endif
     running--
  :: closing // refused
  fi
}

// Close has a place of its own, and completes behind all that were accepted.
proctype close() {
  atomic { lock == 0 -> closing = true; places++ }
#ifndef CLOSE_DOES_NOT_WAIT
  running == 0;
#endif
  push(CLOSE)
}

// The program's thread.
proctype drainer() {
  byte most, n, k;
  do
  :: closed -> break
  :: !closed ->
#ifdef BY_WAIT
     acquire(100);
     if
     :: count > 0 -> release()
     :: else ->
#ifdef CHANNEL_OUTSIDE_LOCK
        release();
        filled = true;
#else
        filled = true;
        release();
#endif
        !filled
     fi;
#else
     readable; // poll
#endif
     if
     :: most = 1
     :: most = 2
     fi;
     acquire(100);
     atomic {
       n = (count < most -> count : most);
       for (k : 0 .. n - 1) {
         taken[slot[k]]++;
         must(completes_once, taken[slot[k]] == 1);
         must(close_is_last, !closed);
         closed = closed || slot[k] == CLOSE
       }
       for (k : n .. PLACES + 1) { slot[k - n] = slot[k] }
       count = count - n; k = 0
#ifndef FREE_AT_PUSH
       ; places = places - n
#endif
     }
#ifdef RESET_OUTSIDE_LOCK
     release();
     if
     :: count == 0 -> readable = false
     :: else
     fi;
#else
     if
#ifdef RESET_WITH_REST
     :: n > 0 -> readable = false
#else
     :: n > 0 && count == 0 -> readable = false
#endif
     :: else
     fi;
     release();
#endif
     atomic { n = 0; most = 0 }
  od;
  must(close_is_last, count == 0 && running == 0);
  for (k : 1 .. OPERATIONS) { must(completes_once, taken[k] == ((accepted >> k) & 1)) }
}

init {
  byte op;
  atomic {
    for (op : 1 .. OPERATIONS) { run operation(op) }
    run close();
    run drainer()
  }
}
