-- Vision: what the frame before lent the first frame that a part still has to show, so that a part whose work was broken
-- off goes on exactly as if it had not been. Rows go when the frame or the part is done.
-- +goose Up
CREATE TABLE vision_carried (
    frame_id TEXT PRIMARY KEY,
    carried  TEXT NOT NULL -- JSON: {"boxes": [survey.Box], "ages": [frames since each was found]}
);

-- +goose Down
DROP TABLE vision_carried;
