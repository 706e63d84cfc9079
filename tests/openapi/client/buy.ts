// Buys a widget by types that were made from the shop's document: node buy.js URL.

import { strictEqual } from "node:assert/strict";

import createClient from "openapi-fetch";

import type { components, paths } from "./shop.js";

type Status = components["schemas"]["PaymentStatus"];

const KEY = "bought-by-a-client-in-typescript";

const shop = createClient<paths>({ baseUrl: process.argv[2] });

// What the document promises is there, or the compiler stops here.
async function inventory(): Promise<number> {
  const { data } = await shop.GET("/product");
  return data!.inventory;
}

async function pay(key: string, status: Status) {
  return shop.POST("/payment_webhook/{key}/{status}", { params: { path: { key, status } } });
}

// Never called: each line is a mistake that the compiler must see.
export async function mistakes() {
  // @ts-expect-error a number is no word
  await shop.GET("/order/{order_id}", { params: { path: { order_id: "one" } } });
  // @ts-expect-error there is no such status
  await pay(KEY, "lost");
  // @ts-expect-error nor such a path
  await shop.GET("/oder/{order_id}", { params: { path: { order_id: 1 } } });
}

const before = await inventory();
const checkout = await shop.POST("/checkout/{key}", { params: { path: { key: KEY } }, parseAs: "text" });
strictEqual(checkout.data, KEY);
const order_id: number = (await pay(KEY, "paid")).data!;

const { data: order } = await shop.GET("/order/{order_id}", { params: { path: { order_id } } });
strictEqual(order!.order_id, order_id);
strictEqual(await inventory(), before - 1);

// The same again is the same order.
strictEqual((await pay(KEY, "paid")).data, order_id);
strictEqual((await pay(KEY, "failed")).response.status, 409);
const unknown = await shop.GET("/order/{order_id}", { params: { path: { order_id: 2_000_000_000 } } });
strictEqual(unknown.response.status, 404);

console.log(`a client in TypeScript, compiled, bought a widget: order ${order_id}`);
