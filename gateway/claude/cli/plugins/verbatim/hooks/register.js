// The CLI asks once for each block that it is about to add to the conversation. `text: null` leaves the block out.
export function register(on) {
  on('prompt.attachment', () => ({ text: null }))
  on('prompt.context', ($, event, next) => next({ ...event, blocks: [] }))
}
