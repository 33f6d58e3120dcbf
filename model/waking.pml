// How sleeping consumers are woken: core/wait.go, core/stream.go (fetch) and
// sql/listener.sql. One queue; stores are processes, each with streams that share a
// listener and an entry in pgqrs_waiting. A statement is one step here where it takes no
// decision between its snapshot and its commit.
//
// A stream that was told that it will be woken sleeps until it is: the poll that bounds
// its sleep (5 s) is left out, so that a wake-up that is lost is seen as a message that
// waits for ever. One that was not told polls. A stream that got a message may be busy
// with it for ever.

//: streams  STORES=1 STREAMS=2 PRODUCES=2
//: streams  STORES=1 STREAMS=2 PRODUCES=2 NO_SECOND_LOOK ! sleeper_is_woken
//: stores   STORES=2 STREAMS=1 PRODUCES=2
//: stores   STORES=2 STREAMS=1 PRODUCES=2 NO_SECOND_LOOK ! sleeper_is_woken
//: streams  STORES=1 STREAMS=2 PRODUCES=2 TELLS_BEFORE_COMMIT ! sleeper_is_woken
//: streams  STORES=1 STREAMS=2 PRODUCES=2 NO_TRAILING_EDGE ! sleeper_is_woken
//: streams  STORES=1 STREAMS=2 PRODUCES=2 RELIES_ON_NEW_ENTRY ! sleeper_is_woken
//: transaction STORES=2 STREAMS=1 PRODUCES=1 TRANSACTIONS=1
//: transaction STORES=2 STREAMS=1 PRODUCES=1 TRANSACTIONS=1 TELLS_SLEEPERS_ONLY ! sleeper_is_woken
//: transaction STORES=1 STREAMS=1 PRODUCES=0 TRANSACTIONS=1 FIRST_LISTENER ! sleeper_is_woken

#include "invariants.h"

#ifndef TRANSACTIONS
#define TRANSACTIONS 0
#endif

byte waits; // messages that are ready

// The queue's row of pgqrs_waiting, as committed.
bool asleep;
#ifdef FIRST_LISTENER
bool listeners = false; // nobody has been entered yet: docs/guarantees.md
#else
bool listeners = true;
#endif

typedef Store {
  bool entered, committed; // the entry, as the store knows it
  bool notified;           // a notification has arrived and was not read
  bool wake[STREAMS];      // the channels of the streams, with room for one
  bool looked[STREAMS]     // a stream's last look began when the entry was committed
}
Store store[STORES];

bool dirty, pausing;
byte produced, i;

inline notify() {
  for (i : 0 .. STORES - 1) { store[i].notified = true }
  i = 0
}

#define me store[s]

proctype stream(byte s; byte n) {
  bool told, again;
  do
  :: atomic { me.looked[n] = me.committed }
look:
     if
     :: atomic { waits > 0 -> waits--; again = false; told = false }
        if
        :: true
        :: goto busy
        fi
     :: atomic { waits == 0 && again -> again = false }
        goto sleep
     :: waits == 0 && !again ->
        atomic {
          if // announce
          :: me.entered && !me.committed -> told = false; goto sleep
#ifdef RELIES_ON_NEW_ENTRY
          :: me.entered && me.committed -> told = true; goto renew
#else
          :: me.entered && me.committed && me.looked[n] -> told = true; goto renew
          :: me.entered && me.committed && !me.looked[n] -> told = true; again = true; goto look
#endif
          :: !me.entered -> me.entered = true // before it is so: a notification in between takes it away
          fi
        }
        atomic { asleep = true; listeners = true }
        atomic {
          told = true;
          if
          :: me.entered ->
             me.committed = true;
             for (i : 0 .. STREAMS - 1) { me.looked[i] = false }
             i = 0
          :: else
          fi;
#ifndef NO_SECOND_LOOK
          again = true; goto look
#endif
        }
renew: // now and then, and in time: no second look
        if
        :: true
        :: atomic { asleep = true }
        fi;
sleep:
        if
        :: atomic { me.wake[n] -> me.wake[n] = false; told = false }
        :: atomic { !told && waits > 0 } // it polls
        :: atomic { timeout -> must(sleeper_is_woken, waits == 0); goto busy }
        fi
     fi
  od;
busy:
  skip
}

proctype hear(byte s) {
  byte n;
end:
  do
  :: atomic { me.notified -> me.notified = false; me.entered = false; me.committed = false }
     atomic {
       for (n : 0 .. STREAMS - 1) { me.wake[n] = true }
       n = 0
     }
  od
}

// A store of another process: it commits, and tells, in a statement of its own, with a
// pause between two.
proctype producer() {
  do
  :: produced < PRODUCES ->
#ifdef TELLS_BEFORE_COMMIT
     atomic {
       if
       :: asleep -> asleep = false; notify()
       :: else
       fi
     }
     atomic { waits++; produced++ }
#else
     atomic { waits++; produced++ }
#ifdef NO_TRAILING_EDGE
     dirty = dirty || !pausing
#else
     dirty = true
#endif
#endif
  :: produced == PRODUCES -> break
  od
}

proctype teller() {
  bool saw;
end:
  do
  :: atomic { dirty -> dirty = false; pausing = true; saw = asleep }
     atomic { // it waits for the row's lock, and looks again
       if
       :: saw && asleep -> asleep = false; notify()
       :: else
       fi;
       saw = false
     }
     pausing = false
  od
}

// pgqrs_produce in somebody's transaction.
proctype transaction() {
  bool tells;
#ifdef TELLS_SLEEPERS_ONLY
  tells = asleep;
#else
  tells = listeners;
#endif
  atomic {
    waits++;
    if
    :: tells -> notify()
    :: else
    fi
  }
}

init {
  byte s, n;
  atomic {
    for (s : 0 .. STORES - 1) {
      run hear(s);
      for (n : 0 .. STREAMS - 1) { run stream(s, n) }
    }
    run producer();
    run teller();
#if TRANSACTIONS
    run transaction()
#endif
  }
}
