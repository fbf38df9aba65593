import type { Page } from '@floy/contracts';

/** The page that a list's query asks for; the schema has filled in the defaults already. */
export function pageOf(query: { readonly page?: number; readonly page_size?: number }): Page {
  return { page: query.page ?? 1, pageSize: query.page_size ?? 20 };
}
