// Package query parses and evaluates the OData options that Outlook resources take: $filter, $orderby, $select and
// $expand. It knows types only through a [Schema], never the items themselves, so that mail, events and contacts share
// it. Everything it reads comes from a client, so nesting and length are bounded.
package query
