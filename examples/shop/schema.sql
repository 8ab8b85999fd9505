CREATE TABLE products (name text PRIMARY KEY, price integer NOT NULL);
CREATE TABLE orders (product text REFERENCES products, count integer NOT NULL, customer text);
INSERT INTO products VALUES ('apple', 40), ('bread', 250), ('butter', 310), ('cheese', 690), ('coffee', 880),
	('eggs', 320), ('flour', 120), ('honey', 540), ('milk', 130), ('oil', 760), ('rice', 210), ('salt', 60), ('tea', 450);
