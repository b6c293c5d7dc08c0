package store

import (
	"fmt"

	"github.com/roadcomb/roadcomb/pkg/survey"
)

// Key layout. Each function is the only maker of its keys.

// OriginalKey (private) holds a contributor's file by its content. Two contributors who send the same bytes do not
// share an object, so that one's removal does not touch the other's.
func OriginalKey(c survey.ContributorID, h survey.Hash) string {
	s := h.String()
	return "originals/" + string(c) + "/" + s[:2] + "/" + s
}

// FrameKey (public) holds a redacted frame by its content: a second redaction makes a second key.
func FrameKey(f survey.FrameID, content survey.Hash) string {
	return "frames/" + string(f)[:2] + "/" + string(f) + "/" + content.String()[:16] + ".jpg"
}

// DriveManifestKey (ledger) holds a drive's manifest.
func DriveManifestKey(d survey.DriveID) string {
	return "drives/" + string(d)[:2] + "/" + string(d) + ".json"
}

// ObservationKey (lake) holds the observations of one drive at one revision of its set of published frames.
func ObservationKey(day string, d survey.DriveID, content survey.Hash) string {
	return "observations/v1/date=" + day + "/" + string(d) + "-" + content.String()[:16] + ".parquet"
}

// TileKey (public) holds an immutable tile archive; TileManifestKey the pointer to the current ones.
func TileKey(layer string, content survey.Hash) string {
	return "tiles/" + layer + "/" + content.String()[:32] + ".pmtiles"
}

// TileManifestKey (public) is swapped by conditional PUT.
const TileManifestKey = "tiles/manifest.json"

// DatasetKey (lake) holds a file of a dataset partition by its content.
func DatasetKey(dataset, version, partition string, content survey.Hash) string {
	return dataset + "/" + version + "/" + partition + "/" + content.String()[:32] + ".parquet"
}

// SnapshotKey (lake) holds a snapshot's manifest by its content; SnapshotHead points to the current one.
func SnapshotKey(content survey.Hash) string { return "snapshots/" + content.String()[:32] + ".json" }

// SnapshotSignatureKey (lake) holds the signature of a manifest by a public key, named by both, since another key may sign
// the same manifest later.
func SnapshotSignatureKey(content survey.Hash, key []byte) string {
	return "snapshots/" + content.String()[:32] + "." + survey.HashOf(key).String()[:16] + ".sig"
}

// SnapshotHead (lake) is swapped by conditional PUT.
const SnapshotHead = "snapshot.json"

// EpochKey (ledger) holds one file of a closed epoch.
func EpochKey(e survey.Epoch, name string) string { return "epochs/" + e.String() + "/" + name }

// AuditHeadKey (ledger) holds where the audit log stood at one time, by the number of its entry; AuditHeads is before all.
func AuditHeadKey(seq int64) string { return fmt.Sprintf("%s%012d.json", AuditHeads, seq) }

// AuditHeads is what keys of heads of the audit log begin with.
const AuditHeads = "audit/heads/"

// ArchiveNodeKey (ledger) holds a node of the archive by its CID.
func ArchiveNodeKey(cid string) string { return "archive/" + cid + ".cbor" }

// ArchiveHead (ledger) names the archive's current root; it is swapped by conditional PUT.
const ArchiveHead = "archive/head.json"
