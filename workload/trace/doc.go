// Package trace reads recorded cache workloads and replays them against a key-value store.
//
// Two families of files are known:
//
//   - Twitter's twemcache traces (github.com/twitter/cache-trace): CSV without header, the columns
//     timestamp (s), anonymised key, key size, value size, client id, operation, TTL (s);
//   - Meta's CacheLib kvcache traces (CacheLib documentation, "Cachebench FB HW eval"): CSV with a
//     header. Its releases order the columns differently, so columns are found by name. A row
//     stands for op_count requests; a size of 0 on a GET is a miss.
//
// A Reader turns either into Requests; Open tells them apart by the first line. A Replay is a
// workload.Source over a Reader, with this mapping onto our operations:
//
//	get gets GET GET_LEASE                                    Read
//	set add replace cas append prepend SET SET_LEASE          Update of a whole record
//	delete DELETE                                             Delete
//	incr decr                                                 Increment of a counter
//
// A counter is a key of its own, apart from the record of the same name, because the traces also
// set and get those keys as opaque bytes. Conditions (add, replace, cas) and partial writes
// (append, prepend) are replayed as plain writes of the recorded size: the traces do not say what
// the condition compared, nor how long the whole value was. Times and TTLs are ignored: a replay
// runs as fast as the store answers.
package trace
