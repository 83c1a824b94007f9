// Command bench puts a hub under load and measures it.
//
//	go run ./bench -workload all                     # every workload against the hub, the bare loop, and Nchan if it is there
//	go run ./bench -workload publish -runs 3         # medians of three runs
//	go run ./bench -workload connect -against limit  # against the bare loop alone
//	go run ./bench -workload contention              # fails when streams wait for each other
//	go run ./bench -quick                            # everything, scaled down to about a minute
//	go run ./bench -url http://127.0.0.1:3000/.well-known/mercure -publisher-key K -subscriber-key K
//	go run ./bench report                            # BENCHMARKS.md and charts from bench/results
//	go run ./bench limit -listen 127.0.0.1:4000      # the bare loop alone
//
// It builds the hub of this module, starts it for every run with an empty store on free ports of the
// loopback interface, and ends it by its process id. The hub, what it is compared with and the load
// come in turn in one call, so that all of them meet the same machine. Everything is bounded in time and
// count; an interrupt ends it early and cleans up.
//
// A run that loses, doubles or reorders a delivery fails, and so does one that finds contention; the reasons for which the
// hub ended streams and the end of its log are told and kept with the result. Results are kept in bench/results,
// unless the run was quick or had other parameters than a workload's own.
//
// Caveats: Linux only. Load generator and server share the machine, so figures compare only with figures
// from the same machine, and ratios to the bare loop say more than absolute ones.
package main
