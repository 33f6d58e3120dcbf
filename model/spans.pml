// The spans: what pgqrs_dequeue, pgqrs_take (archive, delete, extend, release),
// pgqrs_merge, pgqrs_purge and pgqrs_seize do with the rows of pgqrs_spans when they run at the same time.
//
// A row is a set of messages that share a lease, a vt and a read_ct. READ COMMITTED
// is modelled as PostgreSQL does it: a statement has a snapshot (which rows its
// condition chose, `snap`), locks them one by one, passes over (skip locked) or waits,
// and then looks again at the row as it is now (EvalPlanQual); a row that does not match
// any more is not returned and stays locked all the same. What a transaction wrote
// shows to others when it commits; until then its rows are locked, and plain reads see
// them as before. So writing and committing are one step here, and locking, reading the
// clock, looking and committing are steps of their own, between which anything may happen.
//
// Sessions are alike, and each may settle every delivery there has ever been, any number
// of times: that is a holder, its keeper, a late holder, and one whose answer was lost.
// A consumer that dies is one that does nothing more; a connection that breaks rolls back.
//
// Left out: payloads and since (the place in line), which no invariant here rests on.

//: settle   MESSAGES=2 DEQUEUES=2 SETTLES=2 VERBS=3
//: settle   MESSAGES=2 DEQUEUES=2 SETTLES=2 VERBS=3 NO_FENCE ! late_holder_settles_nothing
//: settle   MESSAGES=2 DEQUEUES=2 SETTLES=2 VERBS=3 RELEASE_KEEPS_LEASE ! late_holder_settles_nothing
//: settle   MESSAGES=2 DEQUEUES=2 SETTLES=2 VERBS=3 NO_TURNS NO_FRESH_LOOK ! holder_can_settle
//: settle   MESSAGES=2 DEQUEUES=2 SETTLES=2 VERBS=3 GIVING_BACK_COUNTS ! read_ct_has_no_gap
//: settle   MESSAGES=2 DEQUEUES=2 SETTLES=2 VERBS=3 DONE_ROWS_UNSEEN ! lost_answer_is_found
//: settle   MESSAGES=2 DEQUEUES=2 SETTLES=2 VERBS=3 BREAKS=1
//: lease    MESSAGES=3 PRODUCES=0 DEQUEUES=2 SETTLES=1
//: lease    MESSAGES=3 PRODUCES=0 DEQUEUES=2 SETTLES=1 VALUES_OF_SNAPSHOT ! read_ct_has_no_gap
//: lease    MESSAGES=3 PRODUCES=0 DEQUEUES=2 SETTLES=1 NO_SECOND_LOOK ! one_live_lease
//: lease    MESSAGES=3 PRODUCES=0 DEQUEUES=2 SETTLES=1 LOCKED_ROWS_UNSEEN ! empty_means_empty
//: lease    MESSAGES=3 PRODUCES=0 DEQUEUES=2 SETTLES=1 LEASE_FROM_BEGIN ! lease_lasts
//: lease    MESSAGES=3 PRODUCES=0 DEQUEUES=2 SETTLES=1 MERGE_UNLIKE ! read_ct_has_no_gap
//: keeper   MESSAGES=1 PRODUCES=0 DEQUEUES=2 SETTLES=2 TICKS=2
//: keeper   MESSAGES=1 PRODUCES=0 DEQUEUES=2 SETTLES=2 TICKS=2 KEEPER_SHORTENS ! one_live_lease
//: poison   MESSAGES=3 PRODUCES=0 DEQUEUES=3 SETTLES=1 TICKS=2 MAX_READ_CT=2 VERBS=3
//: poison   MESSAGES=3 PRODUCES=0 DEQUEUES=3 SETTLES=1 TICKS=2 MAX_READ_CT=2 VERBS=3 DEAD_TOO_SOON ! dead_only_at_the_limit
//: merge    MESSAGES=3 DEQUEUES=2 SETTLES=1 VERBS=3 MERGES=2
//: merge    MESSAGES=3 DEQUEUES=2 SETTLES=1 VERBS=3 MERGES=2 MERGES_AS_SEEN ! no_message_is_lost
//: merge    MESSAGES=3 DEQUEUES=2 SETTLES=1 VERBS=3 MERGES=2 MERGES_DELIVERED ! read_ct_has_no_gap
//: merge    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 MERGES=1 CRASHES=1
//: purge    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=2 VERBS=3 PURGES=1
//: purge    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=2 VERBS=3 PURGES=1 SETTLES_UNLOCKED ! ends_once
//: purge    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=2 VERBS=3 PURGES=1 PURGE_LOOKS_ONCE ! purge_leaves_nothing
//: purge    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=2 VERBS=3 PURGES=1 PURGE_DELETES_BY_BOUND ! no_message_is_lost
//: purge    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=2 VERBS=3 PURGES=1 PURGE_WAITS_WHILE_HOLDING ! circle
//: seize    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 SEIZES=1
//: seize    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 SEIZES=2 TICKS=2
//: seize    MESSAGES=2 PRODUCES=0 DEQUEUES=1 SETTLES=1 VERBS=3 SEIZES=1 PURGES=1
//: seize    MESSAGES=3 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 SEIZES=1 MERGES=1
//: seize    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 SEIZES=1 CRASHES=1
//: seize    MESSAGES=2 PRODUCES=0 SESSIONS=3 DEQUEUES=2 SETTLES=1 VERBS=1 SEIZES=1
//: seize    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 SEIZES=1 SEIZES_AS_SEEN ! leased_is_not_seized
//: seize    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 SEIZES=1 TICKS=2 SEIZES_KEEP_LOCKS ! circle
//: crash    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 CRASHES=1
//: crash    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 CRASHES=1 ARCHIVE_IS_SOFT ! told_is_durable
//: crash    MESSAGES=2 PRODUCES=0 DEQUEUES=2 SETTLES=1 VERBS=3 CRASHES=1 LEASE_BY_SEQUENCE ! lease_is_new
//: three    MESSAGES=2 PRODUCES=0 SESSIONS=3 DEQUEUES=3 SETTLES=2 VERBS=1
//: three    MESSAGES=2 PRODUCES=0 DEQUEUES=3 SETTLES=2 VERBS=1 TURNS_ONE_BY_ONE ! circle

#include "invariants.h"

#ifndef SESSIONS
#define SESSIONS 2
#endif
#ifndef MESSAGES
#define MESSAGES 3
#endif
#ifndef DEQUEUES
#define DEQUEUES 2
#endif
#ifndef SETTLES
#define SETTLES 2
#endif
#ifndef VERBS
#define VERBS 7
#endif
#ifndef PRODUCES
#define PRODUCES 1
#endif
#ifndef MERGES
#define MERGES 0
#endif
#ifndef PURGES
#define PURGES 0
#endif
#ifndef SEIZES
#define SEIZES 0
#endif
#ifndef TICKS
#define TICKS 1
#endif
#ifndef BREAKS
#define BREAKS 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef MAX_READ_CT
#define MAX_READ_CT 5
#endif

#define ROWS (MESSAGES + 4)
#define LEASES DEQUEUES
#define LEASE_FOR 1

#if defined(VALUES_OF_SNAPSHOT) || defined(MERGES_AS_SEEN)
#define AS_SEEN
#endif

#define bit(i) (1 << (i))
#define has(set, i) (((set) >> (i)) & 1)
#define without(set, other) ((set) & ~(other))

typedef Row {
  byte ids;   // of messages; 0: there is no such row
  byte lease; // 0: nobody's
  byte vt;
  byte ct;
  byte lock   // the session that has locked it; 0: none
}
Row row[ROWS];
byte advisory[LEASES + 1]; // who has the advisory lock of a lease
byte now;

// What became of the messages.
byte live, archived, deleted, dead;
byte archived_by[MESSAGES]; // lease

// What was told to holders: the newest lease of a message (0: given back), until when
// it lasts, and how many leases there were. And which messages each lease delivered.
byte holder[MESSAGES];
byte held_until[MESSAGES];
byte leased[MESSAGES];
byte delivered[LEASES + 1];

byte drawn; // the last lease number
byte dequeues, settles, merges, purges, seizes, breaks; // done so far
byte started; // sessions: they are alike, so they begin in their order

// What has been so since a session's call began: ready messages (a dequeue), held
// ones (settling), live ones (a purge).
mtype = { nothing, ready, held, alive };
mtype watches[SESSIONS + 1] = nothing;
byte watched[SESSIONS + 1];
byte snap[SESSIONS + 1]; // rows that the snapshot of a statement chose and that it has yet to lock
#if PURGES
byte stale[SESSIONS + 1]; // those of them that have a newer version than the snapshot knows
#endif

#if CRASHES
// What is on disk. A commit that waits for the disk takes all before it along.
Row disk[ROWS];
byte disk_live, disk_archived, disk_deleted, disk_dead, disk_drawn;
byte disk_archived_by[MESSAGES];
byte disk_holder[MESSAGES];
byte disk_held_until[MESSAGES];
byte disk_leased[MESSAGES];
byte told_stored, told_ended;
byte epoch; // counts crashes
#define broken (my_epoch != epoch)
#else
#define broken false
#endif

#define first_id(set) ((set) & -(set))

inline count(set, n, i) {
  n = 0;
  for (i : 0 .. MESSAGES - 1) { n = n + has(set, i) }
}

// The first of the chosen rows in the order of the walk (vt, then the last id).
inline pick(set, r, i) {
  r = ROWS;
  for (i : 0 .. ROWS - 1) {
    if
    :: has(set, i) && (r == ROWS || row[i].vt < row[r].vt || (row[i].vt == row[r].vt && row[i].ids < row[r].ids)) -> r = i
    :: else
    fi
  }
}

// A place for a new row: none that an open snapshot may know by its old row.
inline place(r, i) {
  r = ROWS;
  for (i : 0 .. ROWS - 1) {
    if
    :: row[i].ids == 0 && (row[i].lock == 0 || row[i].lock == me) && !has(snapped, i) -> r = i
    :: else
    fi
  }
  assert(r < ROWS) // a bound of the model
}

inline snapshots(set, i) {
  set = 0;
  for (i : 1 .. SESSIONS) { set = set | snap[i] }
}

// A row gets a new version, or is deleted.
#if PURGES
inline wrote(r, i) {
  for (i : 1 .. SESSIONS) { stale[i] = stale[i] | (snap[i] & bit(r)) }
}
#else
inline wrote(r, i) { skip }
#endif

// Others watch what has changed.
inline tell(kind, which, i) {
  for (i : 1 .. SESSIONS) {
    if
    :: watches[i] == kind -> watched[i] = without(watched[i], which)
    :: else
    fi
  }
}

inline unlock(i) {
  for (i : 0 .. ROWS - 1) {
    if
    :: row[i].lock == me -> row[i].lock = 0
    :: else
    fi;
    part[i] = 0
  }
  for (i : 1 .. LEASES) {
    if
    :: advisory[i] == me -> advisory[i] = 0
    :: else
    fi
  }
  watches[me] = nothing; watched[me] = 0; snap[me] = 0
}

// The step of a transaction that did not happen, because the connection broke or the
// server died.
#if BREAKS
#define or_break :: atomic { breaks < BREAKS -> breaks++; goto rolled_back }
#else
#define or_break
#endif
#if CRASHES
#define or_crash :: atomic { broken -> goto rolled_back }
#else
#define or_crash
#endif

// Every message that was stored is in one place.
inline check_places(i, k, n) {
  for (i : 0 .. MESSAGES - 1) {
    n = 0;
    for (k : 0 .. ROWS - 1) { n = n + has(row[k].ids, i) }
    must(no_message_is_lost, n == has(live, i))
  }
}

#if CRASHES
inline to_disk(i) {
  for (i : 0 .. ROWS - 1) {
    disk[i].ids = row[i].ids; disk[i].lease = row[i].lease; disk[i].vt = row[i].vt; disk[i].ct = row[i].ct
  }
  for (i : 0 .. MESSAGES - 1) {
    disk_archived_by[i] = archived_by[i]; disk_holder[i] = holder[i];
    disk_held_until[i] = held_until[i]; disk_leased[i] = leased[i]
  }
  disk_live = live; disk_archived = archived; disk_deleted = deleted; disk_dead = dead; disk_drawn = drawn
}
#else
inline to_disk(i) { skip }
#endif

// Ends messages: takes them from the live ones into another set.
inline finish(set, which, i) {
  must(ends_once, (live & (which)) == (which));
  live = without(live, which); set = set | (which);
  for (i : 0 .. MESSAGES - 1) { holder[i] = (has(which, i) -> 0 : holder[i]) }
  tell(ready, which, i); tell(held, which, i); tell(alive, which, i)
}

// A session's call begins, and ends.
#define may_begin (started + 1 >= me)
inline begin(kind) {
  watches[me] = kind;
  started = (started < me -> me : started);
#if CRASHES
  my_epoch = epoch;
#endif
}

inline forget() {
  want = 0; got = 0; dying = 0; joined = 0; begun = 0; taken_at = 0; leases = 0; asked = 0; ids = 0; todo = 0;
  verb = nothing; r = 0; i = 0; k = 0; n = 0; lease = 0; snapped = 0; stop = false; useless = false;
#if PURGES
  stale[me] = 0;
#endif
#if CRASHES
  my_epoch = 0;
#endif
#ifdef AS_SEEN
  for (i : 0 .. ROWS - 1) { seen[i] = 0 }
  i = 0
#endif
}

#include "spans_dequeue.inc"
#include "spans_settle.inc"
#include "spans_merge.inc"
#include "spans_purge.inc"
#include "spans_seize.inc"

// The last message is produced in a transaction that reads the clock long before it
// commits.
proctype producer() {
  byte vt, r, i, snapped;
  byte me = SESSIONS + 1;
  vt = now;
  atomic {
    d_step {
      snapshots(snapped, i);
      place(r, i);
      row[r].ids = bit(MESSAGES - 1); row[r].vt = vt; row[r].lease = 0; row[r].ct = 0;
      live = live | bit(MESSAGES - 1);
#if CRASHES
      to_disk(i);
      told_stored = told_stored | bit(MESSAGES - 1);
#endif
      r = 0; vt = 0; i = 0; snapped = 0; me = 0
    }
  }
}

mtype = { archiving, archiving_again, deleting, keeping, extending, releasing, giving_back };

proctype session(byte me) {
  byte part[ROWS];  // messages that were taken out of a row
  byte want, got;   // of a dequeue
  byte dying;       // rows that were delivered too often
  byte joined;        // small rows that follow each other and become one
  byte begun, taken_at;
  byte leases, asked; // a set: those asked for, and the one whose turn it is
  byte ids, todo;   // messages asked for, and what is still looked for
  mtype verb = nothing;
  byte r, i, k, n, lease, snapped;
  bool stop;
  bool useless;     // a lock was kept on a row that did not match any more
#if CRASHES
  byte my_epoch;
#endif
#ifdef AS_SEEN
  byte seen[ROWS];
#endif

end:
  do
  :: atomic { may_begin && dequeues < DEQUEUES -> dequeues++; begin(ready) }
     dequeue()
  :: atomic { may_begin && settles < SETTLES && drawn > 0 -> settles++; begin(held); choose() }
     settle()
#if MERGES
  :: atomic { may_begin && merges < MERGES -> merges++; begin(nothing) }
     merge_waiting()
#endif
#if PURGES
  :: atomic { may_begin && purges < PURGES -> purges++; begin(alive); watched[me] = live }
     purge()
#endif
#if SEIZES
  :: atomic { may_begin && seizes < SEIZES -> seizes++; begin(nothing) }
     seize()
#endif
  od;

rolled_back: // by a broken connection, a crash, or to end a circle of waiting
  atomic {
    d_step {
      if
      :: !broken -> unlock(i)
      :: else -> // the crash has unlocked all
         for (i : 0 .. ROWS - 1) { part[i] = 0 }
         watches[me] = nothing; watched[me] = 0; snap[me] = 0
      fi;
      forget()
    }
    goto end
  }
}

proctype clock() {
end:
  do
  :: now < TICKS -> now++
  od
}

#if CRASHES
// The server dies and comes back with what is on disk.
proctype server() {
  byte i;
end:
  atomic {
    true;
    d_step {
      for (i : 0 .. ROWS - 1) {
        row[i].ids = disk[i].ids; row[i].lease = disk[i].lease; row[i].vt = disk[i].vt; row[i].ct = disk[i].ct; row[i].lock = 0
      }
      for (i : 0 .. MESSAGES - 1) {
        archived_by[i] = disk_archived_by[i]; holder[i] = disk_holder[i];
        held_until[i] = disk_held_until[i]; leased[i] = disk_leased[i]
      }
      for (i : 1 .. LEASES) { advisory[i] = 0 }
      live = disk_live; archived = disk_archived; deleted = disk_deleted; dead = disk_dead;
#ifdef LEASE_BY_SEQUENCE
      drawn = disk_drawn; // a sequence can fall back; the clock cannot
#endif
      epoch++;
      must(told_is_durable, without(told_stored, live | archived | deleted | dead) == 0);
      must(told_is_durable, without(told_ended, archived | deleted) == 0)
    }
  }
}
#endif

init {
  atomic {
    // Produced before, in one call or two.
    live = bit(MESSAGES - PRODUCES) - 1;
    if
    :: row[0].ids = live
    :: row[0].ids = 1; row[1].ids = without(live, 1)
    fi;
#if CRASHES
    byte i;
    d_step { to_disk(i) }
    told_stored = live;
    run server();
#endif
    run clock();
#if PRODUCES
    run producer();
#endif
    byte s;
    for (s : 1 .. SESSIONS) { run session(s) }
  }
}
