package vaultsim

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// recoverableDays is the retention of a vault with default settings.
const recoverableDays = 90

// The JSON of the service; one type serves secrets, items and deleted ones.
type bundle struct {
	ID          string            `json:"id"`
	Value       *string           `json:"value,omitempty"`
	ContentType string            `json:"contentType,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Attributes  attributes        `json:"attributes"`

	RecoveryID  string `json:"recoveryId,omitempty"`
	DeletedDate int64  `json:"deletedDate,omitempty"`
	PurgeDate   int64  `json:"scheduledPurgeDate,omitempty"`
}

type attributes struct {
	Enabled         *bool  `json:"enabled,omitempty"`
	Expires         *int64 `json:"exp,omitempty"`
	NotBefore       *int64 `json:"nbf,omitempty"`
	Created         int64  `json:"created,omitempty"`
	Updated         int64  `json:"updated,omitempty"`
	RecoveryLevel   string `json:"recoveryLevel,omitempty"`
	RecoverableDays int    `json:"recoverableDays,omitempty"`
}

// parameters is what a client may send with set and update.
type parameters struct {
	Value       *string           `json:"value"`
	ContentType *string           `json:"contentType"`
	Tags        map[string]string `json:"tags"`
	Attributes  *attributes       `json:"attributes"`
}

func (p parameters) apply(v *version) {
	if p.ContentType != nil {
		v.contentType = *p.ContentType
	}
	if p.Tags != nil {
		v.tags = p.Tags
	}
	if p.Attributes == nil {
		return
	}
	if p.Attributes.Enabled != nil {
		v.enabled = *p.Attributes.Enabled
	}
	v.expires = cmp.Or(p.Attributes.Expires, v.expires)
	v.notBefore = cmp.Or(p.Attributes.NotBefore, v.notBefore)
}

// add appends a version; the caller holds the lock.
func (s *Server) add(name string, v *version) *version {
	if s.secrets == nil {
		s.secrets = map[string]*secret{}
	}
	key := strings.ToLower(name)
	if s.secrets[key] == nil {
		s.secrets[key] = &secret{name: name}
	}
	var id [16]byte
	rand.Read(id[:])
	v.id = hex.EncodeToString(id[:])
	v.created = s.now()
	v.updated = v.created
	s.secrets[key].versions = append(s.secrets[key].versions, v)
	return v
}

// live returns the secret of that name unless it is absent or deleted.
func (s *Server) live(name string) *secret {
	if found := s.secrets[strings.ToLower(name)]; found != nil && found.deleted.IsZero() {
		return found
	}
	return nil
}

// sorted returns the secrets, deleted ones or the others, by name.
func (s *Server) sorted(deleted bool) []*secret {
	var found []*secret
	for _, each := range s.secrets {
		if each.deleted.IsZero() != deleted {
			found = append(found, each)
		}
	}
	slices.SortFunc(found, func(a, b *secret) int { return strings.Compare(a.name, b.name) })
	return found
}

// find returns a version; the empty id means the latest.
func (s *secret) find(id string) *version {
	if id == "" {
		return s.latest()
	}
	for _, v := range s.versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

// describe is a version without its value. The id of a list item has no version.
func describe(base string, name string, v *version, withVersion bool) bundle {
	id := base + "/secrets/" + name
	if withVersion {
		id += "/" + v.id
	}
	return bundle{
		ID: id, ContentType: v.contentType, Tags: v.tags,
		Attributes: attributes{
			Enabled: &v.enabled, Expires: v.expires, NotBefore: v.notBefore,
			Created: v.created.Unix(), Updated: v.updated.Unix(),
			RecoveryLevel: "Recoverable+Purgeable", RecoverableDays: recoverableDays,
		},
	}
}

func withValue(base, name string, v *version) bundle {
	b := describe(base, name, v, true)
	b.Value = &v.value
	return b
}

func describeDeleted(base string, s *secret) bundle {
	b := describe(base, s.name, s.latest(), true)
	b.RecoveryID = base + "/deletedsecrets/" + s.name
	b.DeletedDate = s.deleted.Unix()
	b.PurgeDate = s.deleted.Add(recoverableDays * 24 * time.Hour).Unix()
	return b
}
