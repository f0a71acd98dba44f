package cache

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// RenameMemory gives what a connection remembers to another name, in place of what was remembered of that. Everything else
// is known by its identity, in which names play no part.
func (c *Cache) RenameMemory(from, to string) error { return c.moveMemory(from, &to) }

// ForgetMemory forgets what a connection remembers.
func (c *Cache) ForgetMemory(connection string) error { return c.moveMemory(connection, nil) }

func (c *Cache) moveMemory(from string, to *string) error {
	err := c.state.db.Update(func(tx *bbolt.Tx) error {
		accounts := tx.Bucket(bucketAccounts)
		kept := map[string][]byte{}
		for key, value := range accountKeys(accounts, from) {
			kept[key] = value
		}
		gone := []string{from}
		if to != nil {
			gone = append(gone, *to)
		}
		for _, connection := range gone {
			for key := range accountKeys(accounts, connection) {
				if err := accounts.Delete(accountMemory{c.state, connection}.key(key)); err != nil {
					return err
				}
			}
		}
		if to == nil {
			return nil
		}
		for key, value := range kept {
			if err := accounts.Put(accountMemory{c.state, *to}.key(key), value); err != nil {
				return err
			}
		}
		return nil
	})
	return storeError("write state", err)
}

// accountKeys copies what a connection remembers, so that the bucket may change.
func accountKeys(accounts *bbolt.Bucket, connection string) map[string][]byte {
	all := map[string][]byte{}
	prefix := accountMemory{connection: connection}.key("")
	cursor := accounts.Cursor()
	for k, v := cursor.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = cursor.Next() {
		all[string(k[len(prefix):])] = bytes.Clone(v)
	}
	return all
}
