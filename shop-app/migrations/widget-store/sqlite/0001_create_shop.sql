CREATE TABLE products (
    product_id  INTEGER PRIMARY KEY,
    product     VARCHAR(255) NOT NULL UNIQUE,
    description TEXT NOT NULL,
    inventory   INTEGER NOT NULL CHECK (inventory >= 0),
    price_cents INTEGER NOT NULL CHECK (price_cents >= 0)
);

-- Times are milliseconds since 1970, UTC.
CREATE TABLE orders (
    order_id           INTEGER PRIMARY KEY AUTOINCREMENT,
    order_status       INTEGER NOT NULL,
    last_update_time   BIGINT NOT NULL,
    product_id         INTEGER NOT NULL REFERENCES products (product_id),
    progress_remaining INTEGER NOT NULL DEFAULT 10
);

INSERT INTO products (product_id, product, description, inventory, price_cents)
VALUES (1, 'Premium Quality Widget', 'Enhance your productivity with our top-rated widgets!', 12, 9999);
