// The invariants, by the names that docs/guarantees.md uses. A model claims one with
// must(); a violation prints its name. They are variables because spin prints
// expressions; all are 0.

#define must(invariant, claim) assert((claim) || invariant)

// Of the spans.
hidden byte no_message_is_lost;          // a stored message is in one place: live, archived, dead or deleted
hidden byte ends_once;                   // what has ended does not end again
hidden byte one_live_lease;              // nobody is leased what another holds until a later moment
hidden byte late_holder_settles_nothing; // only the newest delivery, while it holds, is settled
hidden byte holder_can_settle;           // who holds a message is not told that he does not
hidden byte lease_lasts;                 // a lease is as long as was asked, from the moment of the answer's locks
hidden byte lease_is_new;                // a lease number is never used twice
hidden byte read_ct_has_no_gap;          // read_ct counts the leases, one by one
hidden byte empty_means_empty;           // "empty" only when nothing was ready all the time of the call
hidden byte dead_only_at_the_limit;      // dead is what was leased max_read_ct times, and nothing else
hidden byte lost_answer_is_found;        // an archive asked again knows what the first try did
hidden byte purge_leaves_nothing;        // what was live when a purge began is not when it has ended
hidden byte leased_is_not_seized;        // a deletion by id without force takes nothing from a holder whose lease lasts
hidden byte told_is_durable;             // what was answered survives a crash of the server

// Of the low watermark.
hidden byte late_commit_is_found;        // what became ready below it is not passed over for longer than its interval
hidden byte returned_is_seen;            // what a process has given back is ahead of its later walks

// Of waking, and of the ring.
hidden byte sleeper_is_woken;            // a message is never ready while one that was told sleeps and all others rest
hidden byte completes_once;              // each operation that was accepted, and no other, completes once
hidden byte readable_while_waiting;      // the descriptor is readable exactly while completions wait
hidden byte ring_has_room;               // no completion finds the ring full
hidden byte close_is_last;               // nothing completes behind the close of a store
