CREATE TABLE products (
    product_id  INTEGER PRIMARY KEY,
    product     VARCHAR(255) NOT NULL UNIQUE,
    description TEXT NOT NULL,
    image_name  VARCHAR(255) NOT NULL,
    price       INTEGER NOT NULL CHECK (price >= 0),
    inventory   INTEGER NOT NULL CHECK (inventory >= 0)
);

-- A row is the promise to ship. Times are milliseconds since 1970, UTC.
CREATE TABLE fulfilled_orders (
    workflow_id  VARCHAR(255) PRIMARY KEY,
    session_id   VARCHAR(255) NOT NULL UNIQUE,
    product_id   INTEGER NOT NULL REFERENCES products (product_id),
    quantity     INTEGER NOT NULL CHECK (quantity > 0),
    fulfilled_at BIGINT NOT NULL
);

-- The webhooks that have been taken in.
CREATE TABLE payment_events (
    event_id    VARCHAR(255) PRIMARY KEY,
    workflow_id VARCHAR(255) NOT NULL,
    received_at BIGINT NOT NULL
);

INSERT INTO products (product_id, product, description, image_name, price, inventory)
VALUES (1, 'Pen', 'This is a great pen.', 'pen.jpg', 9999, 100000),
       (2, 'Pencil', 'This is a great pencil.', 'pencil.jpg', 8999, 100000);
