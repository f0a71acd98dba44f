// Package graph is the Microsoft Graph host of the simulator without any resources: permissions per endpoint, OData query
// options, opaque paging links, Prefer, error bodies, $batch, headers, compression and throttling. Services register their
// routes with [Server.Handle] and answer through [Request].
//
// What a handler does, in order: r.PageSize for collections, r.State for where a link left off, its own work, then one of
// r.JSON, r.WritePage, r.Bytes or r.Error.
//
// Facts come from the Graph concept pages on query parameters, errors, delta queries, JSON batching and throttling.
package graph
